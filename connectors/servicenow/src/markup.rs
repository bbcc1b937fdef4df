//! Tells the web pages apart that stand where an API answer should be (wire contract 2.9).

use crate::kinds::HtmlKind;

/// Pages name themselves early; the rest of a page is not looked at.
const LOOKED_AT: usize = 64 * 1024;

pub(crate) fn html_kind(body: &[u8]) -> HtmlKind {
    let page = lower_case(body);
    let mentions = |words: &[&str]| words.iter().any(|word| page.contains(word));
    // The hibernation page also asks to sign in, so it is looked for first.
    if mentions(&["hibernating"]) {
        HtmlKind::Hibernating
    } else if mentions(&["currently offline", "is offline"]) {
        HtmlKind::Offline
    } else if mentions(&[
        "login",
        "log in",
        "sign in",
        "signin",
        "auth_redirect",
        "saml",
    ]) {
        HtmlKind::Login
    } else {
        HtmlKind::Other
    }
}

/// Whether a redirect leads to a log-in page.
pub(crate) fn is_login_redirect(location: &str) -> bool {
    let location = location.to_ascii_lowercase();
    ["login", "auth_redirect", "saml", "sso"]
        .iter()
        .any(|word| location.contains(word))
}

/// The title of a page, or an empty text.
pub(crate) fn title(body: &[u8]) -> String {
    let start = String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT)]).into_owned();
    let lower = start.to_ascii_lowercase();
    let Some(open) = lower.find("<title") else {
        return String::new();
    };
    let Some(begin) = lower[open..].find('>').map(|at| open + at + 1) else {
        return String::new();
    };
    let end = lower[begin..]
        .find("</title")
        .map_or(lower.len(), |at| begin + at);
    start[begin..end].trim().to_owned()
}

fn lower_case(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT)]).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_apart() {
        let kinds = [
            "<title>Instance Hibernating page</title> Your instance is hibernating. Sign in to wake it",
            "<p>Your instance is currently OFFLINE</p>",
            "<form action=\"/login.do\">",
            "<html>Scheduled maintenance</html>",
        ]
        .map(|page| html_kind(page.as_bytes()));
        assert_eq!(
            kinds,
            [
                HtmlKind::Hibernating,
                HtmlKind::Offline,
                HtmlKind::Login,
                HtmlKind::Other
            ]
        );
    }

    #[test]
    fn titles_are_read() {
        assert_eq!(
            title(b"<html><TITLE lang=en> Bad Gateway </TITLE>"),
            "Bad Gateway"
        );
        assert_eq!(title(b"<title>cut"), "cut");
        assert_eq!(title(b"<title"), "");
        assert_eq!(title(b"no page"), "");
    }
}
