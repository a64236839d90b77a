//! Web application manifests: the icons, screenshots and start pages of a site
//! that can be installed (W3C Web Application Manifest and its extensions).

use super::Role;
use super::json;
use super::links::Collector;

/// Reads a manifest.
pub(super) fn read(text: &str, found: &mut Collector) {
    json::strings(text, |string| {
        let Some((key, outer)) = string.way.split_last() else {
            return;
        };
        if string.is_name || found.is_full() {
            return;
        }
        let is_within = |name: &str| outer.contains(&name);
        let role = match *key {
            "src" if is_within("icons") || is_within("screenshots") => Role::Image,
            "src" if is_within("serviceworker") => Role::Script,
            "service_worker" => Role::Script,
            "start_url" | "new_note_url" => Role::Page,
            "url" if is_within("shortcuts") || is_within("related_applications") => Role::Page,
            // Where files and shared texts are opened. A protocol's page has a
            // hole for its text.
            "action" => Role::Alternate,
            _ => return,
        };
        found.push(&string.text(), role);
    });
}

#[cfg(test)]
mod tests {
    use super::super::links::tests::named;

    #[test]
    fn all_that_an_installed_application_shows_is_named() {
        let manifest = r#"{"name": "A", "start_url": "/?s=1", "scope": "/no", "id": "/no",
            "icons": [{"src": "i-192.png", "sizes": "192x192"}, {"src": "\/i.svg"}],
            "screenshots": [{"src": "shot.png"}],
            "shortcuts": [{"name": "S", "url": "/s", "icons": [{"src": "s.png"}]}],
            "share_target": {"action": "/share", "method": "GET"}, "file_handlers": [{"action": "/open"}],
            "protocol_handlers": [{"protocol": "web+x", "url": "/x?u=%s"}],
            "serviceworker": {"src": "sw.js"},
            "related_applications": [{"platform": "web", "url": "http://store.example/"}]}"#;
        assert_eq!(
            named("application/manifest+json", manifest.as_bytes()),
            [
                "Page /?s=1",
                "Image /dir/i-192.png",
                "Image /i.svg",
                "Image /dir/shot.png",
                "Page /s",
                "Image /dir/s.png",
                "Alternate /share",
                "Alternate /open",
                "Script /dir/sw.js",
                "Page http://store.example/",
            ]
        );
    }
}
