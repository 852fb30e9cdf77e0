//! Real attack tools, started outside. They run until they are dropped.

use std::net::IpAddr;
use std::process::Command;

use super::daemon::Post;
use crate::process::Process;

/// A command of the outside.
pub(crate) fn nmap(post: &Post, arguments: &str) -> Process {
    attack(post, "nmap", arguments)
}

/// Guesses passwords with hydra: four at a time, which is what it takes for ssh.
pub(crate) fn hydra(post: &Post, server: IpAddr) -> Process {
    let words = post.path("words");
    let list: String = (0..400).map(|number| format!("secret{number}\n")).collect();
    std::fs::write(&words, list).expect("the folder can be written");
    let (family, host) = match server {
        IpAddr::V4(_) => ("-4", server.to_string()),
        IpAddr::V6(_) => ("-6", format!("[{server}]")),
    };
    let words = words.display();
    attack(
        post,
        "hydra",
        &format!("{family} -I -l alice -P {words} -t 8 ssh://{host}"),
    )
}

fn attack(post: &Post, program: &str, arguments: &str) -> Process {
    let mut command: Command = post.stage.outside.command(program);
    command
        .args(arguments.split(' '))
        .current_dir(post.folder.path());
    Process::start(program, command)
}
