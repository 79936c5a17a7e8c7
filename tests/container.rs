//! What the `Dockerfile` takes for granted, as far as that can be tested without a container
//! engine.

const DOCKERFILE: &str = include_str!("../Dockerfile");
const MANIFEST: &str = include_str!("../Cargo.toml");

/// The layer of dependencies is built from the manifest, the lock file and an empty program. Cargo
/// goes looking for the file of every target that is named without a path, even when it builds
/// another one.
#[test]
fn the_manifest_names_the_path_of_every_target_and_so_works_without_the_tests() {
    assert!(
        DOCKERFILE.contains("COPY Cargo.toml Cargo.lock ./\n")
            && DOCKERFILE.contains("touch src/lib.rs")
    );
    let mut targets = 0;
    for section in MANIFEST.split("\n[[").skip(1) {
        targets += 1;
        assert!(section.contains("\npath = "), "a target without a path:\n[[{section}");
    }
    assert!(targets >= 3, "the manifest names its targets");
}
