//! What a model file must survive, and what must be refused.

use super::*;

const SCHEMA: Schema<'static> = Schema {
    names: &["flow_packets", "src_hosts"],
    revision: 1,
};

#[test]
fn a_model_survives_its_file_with_the_same_bytes() {
    let model = Model::new(content(), &SCHEMA).unwrap();
    let bytes = model.save().unwrap();
    let again = Model::load(&bytes, &SCHEMA).unwrap();
    assert_eq!(model, again);
    assert_eq!(again.save().unwrap(), bytes);
    assert_eq!(again.sha256().len(), 64);
}

#[test]
fn shares_are_votes_and_ties_go_to_the_earlier_class() {
    let model = Model::new(content(), &SCHEMA).unwrap();
    let score = model.score(&[20.0, 1.0]);
    assert_eq!(score.share(Class::Scan), 0.5);
    assert_eq!(score.share(Class::Flood), 0.5);
    assert_eq!(
        (score.top(), score.attack(), score.top_attack()),
        (Class::Scan, 1.0, Class::Scan)
    );
}

#[test]
fn explanations_name_the_asked_features_only() {
    let model = Model::new(content(), &SCHEMA).unwrap();
    let why = model.explain(&[20.0, 1.0], 5);
    assert_eq!(why.len(), 1);
    assert_eq!((why[0].feature, why[0].value), (0, 20.0));
    assert!(why[0].weight > 0.2);
    assert!(model.explain(&[20.0, 1.0], 0).is_empty());
}

#[test]
fn any_changed_byte_is_refused() {
    let bytes = Model::new(content(), &SCHEMA).unwrap().save().unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert!(
            Model::load(&changed, &SCHEMA).is_err(),
            "byte {at} went unnoticed"
        );
        assert!(Model::load(&bytes[..at], &SCHEMA).is_err());
    }
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert!(matches!(
        Model::load(&changed, &SCHEMA),
        Err(Error::Tampered)
    ));
    assert!(matches!(
        Model::load(b"\x89PNG", &SCHEMA),
        Err(Error::NotAModel)
    ));
    let long = vec![0; MAX_BYTES + 1];
    assert!(matches!(
        Model::load(&long, &SCHEMA),
        Err(Error::TooLarge { .. })
    ));
}

#[test]
fn another_feature_list_is_refused_by_its_first_difference() {
    let bytes = Model::new(content(), &SCHEMA).unwrap().save().unwrap();
    let sentence = |names, revision| {
        let error = Model::load(&bytes, &Schema { names, revision }).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        sentence(&["flow_packets", "src_ports"], 1),
        "feature 1 of the model is \"src_hosts\", of this program \"src_ports\""
    );
    assert_eq!(
        sentence(&["flow_packets"], 1),
        "feature 1 of the model is \"src_hosts\", of this program missing"
    );
    assert!(sentence(SCHEMA.names, 2).contains("schema"));
}

#[test]
fn well_sealed_nonsense_is_refused() {
    let refused = |change: fn(&mut Content)| {
        let mut content = content();
        change(&mut content);
        let bytes = file::seal(&file::encode(&content).unwrap()).unwrap();
        Model::load(&bytes, &SCHEMA).unwrap_err()
    };
    assert!(matches!(refused(|c| c.classes.swap(1, 2)), Error::Classes));
    assert!(matches!(
        refused(|c| c.calibration.slope = f32::INFINITY),
        Error::Calibration
    ));
    assert!(matches!(
        refused(|c| c.self_tests[0].shares[0] = 0.9),
        Error::SelfTest { number: 0 }
    ));
    assert!(matches!(
        refused(|c| c.scorer = Scorer::Forest(Forest::new([vec![Node::split(0, 1.0, 0)]]))),
        Error::Structure(_)
    ));
}

#[test]
fn scorers_whose_arrays_do_not_fit_are_refused() {
    let scaler = || {
        Scaler::fit(
            [[1.0, 2.0], [3.0, 5.0]].iter().map(|r| &r[..]),
            vec![false; 2],
        )
    };
    let curve = |slope| Machine {
        intercept: 0.0,
        slope,
        offset: 0.0,
    };
    let machines = |slope, weights: &[f32]| {
        let mut machines = Machines::new(2, 0.5, vec![curve(1.0), curve(1.0), curve(slope)]);
        machines.support(&[0.0, 1.0], weights);
        Scorer::Svm(scaler(), machines)
    };
    let neighbours = |asked, class| {
        let mut neighbours = Neighbours::new(2, asked);
        neighbours.add(&[0.0, 1.0], class);
        Scorer::Knn(scaler(), neighbours)
    };
    let linear = |weights| Scorer::Logistic(scaler(), Linear::new(2, weights, vec![0.0; 3]));
    let load = |scorer| {
        let mut content = content();
        (content.scorer, content.self_tests) = (scorer, Vec::new());
        let bytes = file::seal(&file::encode(&content).unwrap()).unwrap();
        Model::load(&bytes, &SCHEMA)
    };
    for sound in [
        linear(vec![0.1; 6]),
        machines(1.0, &[0.1; 3]),
        neighbours(1, 2),
    ] {
        let score = load(sound).unwrap().score(&[1.0, 2.0]);
        let sum: f32 = content().classes.iter().map(|c| score.share(*c)).sum();
        assert!((sum - 1.0).abs() < 1e-5);
    }
    let unsound = [
        linear(vec![0.1; 5]),
        linear(vec![f32::NAN; 6]),
        machines(f32::INFINITY, &[0.1; 3]),
        machines(1.0, &[0.1; 2]),
        neighbours(1, 3),
        neighbours(2, 2),
        neighbours(0, 2),
        Scorer::Knn(
            Scaler::fit([].into_iter(), vec![false; 3]),
            Neighbours::new(2, 1),
        ),
    ];
    for (number, scorer) in unsound.into_iter().enumerate() {
        assert!(matches!(load(scorer), Err(Error::Structure(_))), "{number}");
    }
}

/// Two trees that ask the first feature and disagree about the attack.
fn content() -> Content {
    let tree = |class| vec![Node::split(0, 10.0, 2), Node::leaf(0), Node::leaf(class)];
    let mut forest = Forest::new([tree(1), tree(2)]);
    let rows = [[1.0, 0.0], [20.0, 0.0]];
    forest.weigh(rows.iter().map(|r| r.as_slice()), &[false, true, true]);
    Content {
        algorithm: Algorithm::Forest,
        classes: vec![Class::Benign, Class::Scan, Class::Flood],
        features: SCHEMA.names.iter().map(|&name| name.to_owned()).collect(),
        schema: SCHEMA.hash(),
        calibration: Calibration::UNFITTED,
        provenance: Provenance::default(),
        scorer: Scorer::Forest(forest),
        self_tests: vec![SelfTest {
            row: vec![1.0, 0.0],
            shares: vec![1.0, 0.0, 0.0],
        }],
    }
}
