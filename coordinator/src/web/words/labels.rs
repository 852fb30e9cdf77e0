//! The names of what the store keeps as fixed words, and how grave each is. A word nobody knows is shown as it is.

use super::texts::Words;

macro_rules! labels {
    ($($word:literal: $english:literal, $spanish:literal;)+) => {
        fn label(is_spanish: bool, word: &str) -> &str {
            match word {
                $($word => if is_spanish { $spanish } else { $english },)+
                other => other,
            }
        }
    };
}

labels! {
    "scan": "Scan", "Exploración";
    "brute-force": "Brute force", "Fuerza bruta";
    "flood": "Flood", "Inundación";
    "ddos": "DDoS", "DDoS";
    "slow-dos": "Slow DoS", "DoS lento";
    "c2": "C2", "C2";
    "tunnel": "Tunnel", "Túnel";
    "exploit": "Exploit", "Explotación";
    "benign": "Benign", "Benigno";
    "block": "Block", "Bloquear";
    "review": "Review", "Revisar";
    "alert": "Alert", "Alerta";
    "allow": "Allow", "Permitir";
    "release": "Release", "Liberar";
    "approve": "Approve", "Aprobar";
    "dismiss": "Dismiss", "Descartar";
    "enforce": "Enforce", "Aplicar";
    "resync": "Resync", "Resincronizar";
    "blocked": "Blocked", "Bloqueada";
    "enforced": "Blocked", "Bloqueada";
    "observed": "Observed only", "Solo observada";
    "failed": "Failed", "Fallida";
    "exempt": "Exempt", "Exenta";
    "released": "Released", "Liberada";
    "over": "Run out", "Terminada";
    "none": "Not blocked", "Sin bloqueo";
    "queued": "Waits to be sent", "Pendiente de envío";
    "sent": "Sent", "Enviada";
    "done": "Done", "Hecha";
    "refused": "Refused", "Rechazada";
    "silent": "No answer", "Sin respuesta";
    "withdrawn": "Withdrawn", "Retirada";
    "expired": "Expired", "Caducada";
    "active": "Active", "Activa";
    "waiting": "Waits for a second person", "Espera a otra persona";
    "open": "Open", "Abierta";
    "closed": "Closed", "Cerrada";
    "approved": "Approved", "Aprobada";
    "dismissed": "Dismissed", "Descartada";
    "allowed": "Allowed", "Permitida";
    "superseded": "Superseded", "Sustituida";
    "lapsed": "Lapsed", "Vencida";
    "online": "Online", "En línea";
    "stopped": "Stopped", "Detenido";
    "offline": "Offline", "Desconectado";
    "mute": "Silent", "Callado";
    "unknown": "Unknown", "Desconocido";
    "agrees": "As ordered", "Como se ordenó";
    "differs": "Differs", "Difiere";
    "raised": "Stands", "Vigente";
    "passed": "Passed", "Pasada";
    "happened": "Happened", "Ocurrió";
    "enabled": "Enabled", "Activo";
    "disabled": "No login", "Sin acceso";
    "locked": "Locked", "Bloqueado";
    "valid": "Valid", "Válido";
    "revoked": "Revoked", "Revocado";
    "viewer": "Viewer", "Observador";
    "analyst": "Analyst", "Analista";
    "responder": "Responder", "Respondedor";
    "admin": "Admin", "Administrador";
    "offender": "One offender, several sensors", "Un atacante, varios sensores";
    "guessing": "Distributed password guessing", "Búsqueda distribuida de contraseñas";
    "network": "Offenders of one network", "Atacantes de una red";
    "victim": "Many against one", "Muchos contra uno";
}

impl Words {
    fn is_spanish(&self) -> bool {
        self.code == "es"
    }

    /// What an attack is called.
    pub(in crate::web) fn class<'a>(&self, class: &'a str) -> &'a str {
        label(self.is_spanish(), class)
    }

    /// What a state, a decision or an action is called.
    pub(in crate::web) fn state<'a>(&self, state: &'a str) -> &'a str {
        label(self.is_spanish(), state)
    }

    /// What a role is called.
    pub(in crate::web) fn role_name<'a>(&self, role: &'a str) -> &'a str {
        label(self.is_spanish(), role)
    }

    /// What makes incidents a campaign.
    pub(in crate::web) fn campaign_kind<'a>(&self, kind: &'a str) -> &'a str {
        label(self.is_spanish(), kind)
    }

    /// How grave a state is: the style of its tag.
    pub(in crate::web) fn tone(&self, state: &str) -> &'static str {
        match state {
            "enforced" | "blocked" | "done" | "online" | "agrees" | "active" | "approved"
            | "enabled" | "valid" => "good",
            "failed" | "refused" | "offline" | "differs" | "locked" => "bad",
            "review" | "silent" | "waiting" | "stopped" | "mute" | "raised" | "unknown" => "warn",
            "open" | "observed" | "alert" | "sent" | "queued" | "block" => "info",
            _ => "quiet",
        }
    }
}
