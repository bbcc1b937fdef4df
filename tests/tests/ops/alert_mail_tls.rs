//! Mail over TLS, to a server whose certificate an authority of the company has signed.

use std::path::Path;

use shared::store::alerts::messages;
use tests::certificates::Authority;
use tests::databases::Flavour;
use tests::mail_server::MailServer;
use tests::running::Running;

use super::alert_messages::mailed;

/// How the line is kept private, as `tls` says it.
const WAYS: [&str; 2] = ["starttls", "tls"];
/// What a log-in of the settings of [`mailed`] consists of, encoded.
const LOGIN: &str = "AGJyaWRnZQBmaWN0aW9uYWw=";

async fn server(way: &str, authority: &Authority) -> MailServer {
    match way {
        "starttls" => MailServer::starttls(authority.acceptor()).await,
        _ => MailServer::tls(authority.acceptor()).await,
    }
}

/// The key that names an authority.
fn trusting(file: &Path) -> String {
    format!("ca_file = \"{}\"\n", file.display())
}

/// Has a bridge tell of a dead job by mail; what the message was answered, and whether that was its end.
async fn told(
    server: &MailServer,
    way: &str,
    with_login: bool,
    ca_file: Option<&Path>,
) -> (String, bool) {
    let ca_file = ca_file.map_or_else(String::new, trusting);
    let settings = format!("{}{ca_file}", mailed(server.port(), way, with_login));
    let it = Running::with(Flavour::Sqlite, &settings).await;
    it.dead_updates(1).await;
    it.look_at_alerts().await;
    let all = messages::newest(it.bridge.store().conn(), 100).await;
    let message = all.unwrap().remove(0);
    (message.answer.unwrap(), message.sent_at.is_some())
}

#[tokio::test]
async fn mail_arrives_over_tls_and_nothing_secret_goes_before_it() {
    let authority = Authority::vouching_for("localhost");
    for way in WAYS {
        for with_login in [true, false] {
            let server = server(way, &authority).await;
            let (answer, is_sent) = told(&server, way, with_login, Some(&authority.file())).await;
            assert!(is_sent, "{way}: {answer}");
            assert_eq!(answer, "250 2.0.0 queued as 4711");
            let mail = server.taken().remove(0);
            assert!(mail.is_private, "{way}");
            assert_eq!(mail.to, ["team@example.com", "oncall@example.com"]);
            assert_eq!(mail.header("Subject"), "[local] warning: 1 dead job");
            let login = with_login.then(|| format!("PLAIN {LOGIN}"));
            assert_eq!(mail.login, login);
            let clear = server.read_in_the_clear();
            match way {
                "starttls" => {
                    assert!(clear[0].starts_with("EHLO "), "{clear:?}");
                    assert_eq!(clear[1..], ["STARTTLS"]);
                }
                _ => assert!(clear.is_empty(), "{clear:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_nothing() {
    let authority = Authority::vouching_for("localhost");
    let another = Authority::vouching_for("localhost");
    let elsewhere = Authority::vouching_for("mail.example.com");
    for way in WAYS {
        for (signed, believed, word) in [
            (&authority, None, "UnknownIssuer"),
            // It has the same name, and another key.
            (&authority, Some(another.file()), "BadSignature"),
            (&elsewhere, Some(elsewhere.file()), "not valid for name"),
        ] {
            let server = server(way, signed).await;
            let (answer, is_sent) = told(&server, way, true, believed.as_deref()).await;
            assert!(!is_sent, "{way} {word}");
            assert!(answer.contains(word), "{way}: {answer}");
            assert_eq!(server.taken().len(), 0);
            let clear = server.read_in_the_clear().join("\n");
            assert!(!clear.contains("AUTH") && !clear.contains(LOGIN), "{clear}");
        }
    }
}

#[tokio::test]
async fn an_authority_that_is_gone_is_named_and_its_renewal_found() {
    let authority = Authority::vouching_for("localhost");
    let server = server("starttls", &authority).await;
    let settings = mailed(server.port(), "starttls", true);
    let file = authority.file();
    let it = Running::with(Flavour::Sqlite, &format!("{settings}{}", trusting(&file))).await;
    let kept = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    it.dead_updates(1).await;
    it.look_at_alerts().await;
    let newest = async || {
        let all = messages::newest(it.bridge.store().conn(), 100).await;
        all.unwrap().remove(0)
    };
    let why = newest().await.answer.unwrap();
    assert!(why.contains("ca.pem (ca_file) cannot be read"), "{why}");
    assert!(server.read_in_the_clear().is_empty());
    // The next attempt reads the file again.
    std::fs::write(&file, kept).unwrap();
    it.advance(std::time::Duration::from_mins(2));
    it.look_at_alerts().await;
    assert_eq!(server.taken().len(), 1);
}
