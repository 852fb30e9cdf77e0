//! Control, asked over its real socket. The warden here answers what it is told to.
