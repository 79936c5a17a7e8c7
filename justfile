# Common commands, run with https://just.systems (`just`, `just seed 17`). docs/testing.md says what each test shows.

# list all recipes
default:
    @just --list

# three banks on this machine; Ctrl-C stops them
run:
    cargo run --release

# the quick tests: house rules, documents, units, the protocol's normal case, routes
quick:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    cargo test --locked --lib --test tidy --test documents --test interleavings --test handlers

# all tests; takes a few minutes
test:
    cargo test --locked

# the simulator, from seed 0 on
seeds count="1000":
    cargo test --locked --profile sim --test simulation -- --seeds {{count}}

# one seed of the simulator, traced line by line
seed number:
    cargo test --locked --profile sim --test simulation -- --seed {{number}} --trace

# does the simulator find planted mistakes? (with a word: only those whose name contains it)
mistakes word="":
    cargo test --locked --profile sim --test simulation -- --mistakes {{word}}

# every state that a view change of three banks can reach within the larger bounds
model:
    cargo test --locked --profile sim --test view_model -- --include-ignored --nocapture

# real processes that are killed, paused, cut off, have their disks filled and wiped
chaos banks="3" runs="1" seconds="30" seed="1":
    cargo test --locked --test chaos -- --banks {{banks}} --runs {{runs}} --seconds {{seconds}} --seed {{seed}}

# a running consortium against its own /openapi.json (installs schemathesis)
schemathesis cases="20":
    tests/schemathesis {{cases}}

# what comes from outside, given to every door at random (installs cargo-fuzz)
fuzz seconds="20":
    fuzz/run {{seconds}}

# how fast a running consortium is
bench:
    cargo run --release -- bench --clients 64 --seconds 10 --disk ./data

# the code documentation
doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

# licences, duplicates and sources of the dependencies (needs cargo-deny)
deny:
    cargo deny --locked check licenses bans sources

# the pictures of README and docs/tour.md
pictures:
    docs/make-pictures

# everything that a change must pass; installs what is missing
gate:
    .ci/run
