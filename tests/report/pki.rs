//! Authorities and certificates of the test's own. Nobody else ever trusts them.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

/// Writes `NAME.crt` of a new authority into `folder`, and certificates it has signed: each `NAME.crt` and `NAME.key`.
pub(super) fn write(folder: &Path, (authority, certificates): (&str, &[(&str, Kind)])) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
        .distinguished_name
        .push(DnType::CommonName, format!("Authority {authority}"));
    let certificate = params.self_signed(&key).expect("an authority signs itself");
    save(folder, &format!("{authority}.crt"), &certificate.pem());
    let issuer = Issuer::new(params, key);
    for (name, kind) in certificates {
        let key = KeyPair::generate().expect("a key");
        let host = match kind {
            Kind::Elsewhere => "elsewhere.example",
            _ => "localhost",
        };
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, *name);
        if *kind == Kind::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let certificate = params
            .signed_by(&key, &issuer)
            .expect("the authority signs");
        save(folder, &format!("{name}.crt"), &certificate.pem());
        save(folder, &format!("{name}.key"), &key.serialize_pem());
    }
}

/// What is the matter with a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Good,
    Expired,
    Elsewhere,
}

fn save(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the folder can be written");
}
