//! A page can't make the crawler reach into the archivist's own network.

use std::net::Ipv4Addr;

use crate::harness::{crawl, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, answer};

/// A site on 127.0.0.1 whose page shows a picture of another address, and is
/// redirected there too.
fn site_and_neighbour() -> (Wire, Wire, String) {
    let neighbour = Wire::serve_at(Ipv4Addr::new(127, 0, 0, 2), |_| {
        Some(Reply::Keep(answer(
            "200 OK",
            &["Content-Type: image/png"],
            "secret",
        )))
    });
    let picture = neighbour.url("/camera.png");
    let shown = picture.clone();
    let site = Wire::serve(move |asked| {
        let html = format!("<img src=\"{shown}\"><img src=\"/moved.png\">");
        match asked.target.as_str() {
            "/" => Some(Reply::Keep(answer(
                "200 OK",
                &["Content-Type: text/html"],
                html,
            ))),
            "/moved.png" => {
                let to = format!("Location: {shown}?moved");
                Some(Reply::Keep(answer("302 Found", &[&to], "")))
            }
            _ => None,
        }
    });
    (site, neighbour, picture)
}

#[test]
fn a_private_address_that_no_seed_names_is_excluded_and_never_connected_to() {
    let (site, neighbour, picture) = site_and_neighbour();
    let directory = scratch();
    let into = directory.path().join("guarded");
    crawl(site.url("/"), &into)
        .config(directory.path(), "[fetch]\nretries = 0\n")
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    for url in [picture.clone(), format!("{picture}?moved")] {
        let row = snapshot.row(&url);
        assert_eq!(row["state"], "excluded", "{row:?}");
        assert!(row["reason"].starts_with("address"), "{row:?}");
    }
    assert!(neighbour.asked().is_empty() && !neighbour.was_reached());
}

#[test]
fn a_private_address_is_taken_where_its_network_is_allowed() {
    let (site, neighbour, picture) = site_and_neighbour();
    let directory = scratch();
    let into = directory.path().join("allowed");
    crawl(site.url("/"), &into)
        .args(["--allow-address", "127.0.0.2/32"])
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    assert_eq!(snapshot.response(&picture).entity(), b"secret");
    assert_eq!(
        snapshot.row(&format!("{picture}?moved"))["state"],
        "captured"
    );
    assert!(neighbour.was_reached());
}
