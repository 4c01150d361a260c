# Everything a developer runs. `just` alone lists it.

_default:
    @just --list

# All tests, through the real binaries where a user has them.
test:
    bash .ci/test

# What must pass before a change lands.
ci:
    bash .ci/run

# Formatting and lints, mended where a machine can.
fix:
    cargo fmt --all
    cargo clippy --workspace --all-targets --all-features --fix --allow-dirty

# Snapshots and vectors that a change means to move. Frozen formats are never blessed after a release.
bless:
    LOCKSTEP_BLESS=1 INSTA_UPDATE=always cargo test --workspace

# The crates that browsers run.
wasm:
    bash .ci/wasm

# The server's image for this machine, `lockstep-server:latest`; `just image --build-arg RUST_IMAGE=…` takes another base.
image *arguments:
    docker build --file deploy/Dockerfile --tag lockstep-server:latest --build-arg REVISION="$(git rev-parse HEAD)" \
        --build-arg CREATED="$(date -u +%Y-%m-%dT%H:%M:%SZ)" --build-arg SOURCE="${LOCKSTEP_SOURCE:-}" {{arguments}} .

# The image and the compose files, in a Docker engine that is started for it; needs root and Debian's packages.
docker:
    bash .ci/docker

# What the server is made of, as CycloneDX: target/lockstep-server.cdx.json. Needs `cargo install cargo-cyclonedx`.
sbom:
    cargo cyclonedx --manifest-path server/Cargo.toml --format json --override-filename lockstep-server.cdx
    mkdir -p target && sed "s#file://$PWD/##g" server/lockstep-server.cdx.json >target/lockstep-server.cdx.json
    find proto server client tests -name lockstep-server.cdx.json -delete

# Advisories, bans, licences and sources; needs cargo-deny and the network.
deny:
    cargo deny check

# Time, bytes and memory of whole processes at 10,000 items, on each database, on disk. `just bench --items 50000 --runs 1
# --database sqlite`
bench *arguments:
    cargo build --release --bins
    TMPDIR=${TMPDIR:-/var/tmp} .ci/postgres cargo bench -p lockstep-tests --bench figures -- {{arguments}}

# A Debian package of the server, with its systemd unit; needs `cargo install cargo-deb`.
deb:
    cargo deb --locked -p lockstep-server

# The models of the protocol's flows (tests/formal); needs verifpal.
formal *models:
    tests/formal/run {{models}}

# What a first sync costs on the wire, in CBOR and in JSON. `just bench-wire --items 50000 --runs 5`
bench-wire *arguments:
    cargo bench -p lockstep-proto --bench wire -- {{arguments}}

# Whether the time of a sign-in's answers tells anything. `just bench-signin --samples 20000 --database postgres`
bench-signin *arguments:
    .ci/postgres cargo bench -p lockstep-server --bench signin -- {{arguments}}

# What is too slow for every change: the models of the protocol, the merge laws over 5,000,000 random triples, 100 new runs
# of the model, hostile servers followed for 8 actions, every answer of the scripted scenarios changed in every family, 100
# servers killed under load on each database, and crowds for as long as an owner commits 500 times. `just fuzz` and
# `just mutants` stand beside it: they need tools that are not part of the toolchain. Figures go to tests/DEEP.md.
deep: formal
    LOCKSTEP_LOGS_DEPTH=8 cargo test --release -p lockstep-tests --test hostile logs:: -- --nocapture --test-threads=1
    LOCKSTEP_LOGS_DEPTH=40 cargo test --release -p lockstep-tests --test hostile -- logs::a_join logs::after_two --nocapture
    LOCKSTEP_REANCHOR_SIZE=2 cargo test --release -p lockstep-tests --test hostile reanchor:: -- --nocapture --test-threads=1
    LOCKSTEP_HOSTILE_WALK=18 LOCKSTEP_HOSTILE_RUNS=500 cargo test --release -p lockstep-tests --test hostile scenarios:: -- --nocapture
    LOCKSTEP_LAW_TRIPLES=5000000 LOCKSTEP_LAW_SEED=$(date +%s) cargo test --release -p lockstep-client --lib law_tests -- --nocapture
    cargo build --release --bins
    LOCKSTEP_MODEL_RUNS=100 .ci/postgres cargo test --release -p lockstep-tests --test e2e model::nothing_is_lost_in_runs_that_are_new -- --nocapture
    LOCKSTEP_CROWD_COMMITS=500 cargo test --release -p lockstep-tests --test e2e crowds -- --nocapture --test-threads=1
    LOCKSTEP_CRASH_ROUNDS=100 LOCKSTEP_CRASH_SEED=$(date +%s) .ci/postgres \
        cargo test --release -p lockstep-tests --test e2e server_killed -- --nocapture

# Every fuzz target under libFuzzer with the address sanitizer: an hour each, or `just fuzz 300` for five minutes. Needs
# `cargo install cargo-fuzz` and a C++ compiler; RUSTC_BOOTSTRAP stands in for a nightly toolchain.
fuzz seconds="3600":
    cp Cargo.lock tests/fuzz/Cargo.lock
    for target in canon envelope log api document import archive; do \
        RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --sanitizer address $target -- -max_total_time={{seconds}} \
            -rss_limit_mb=768 -malloc_limit_mb=64 -max_len=16384 -timeout=20 -print_final_stats=1 || exit 1; \
    done

# Mutants of what must never be wrong: canon, the verifier, envelopes, merge. Takes hours; `just mutants --shard 0/7` tries
# some. Needs `cargo install cargo-mutants`. What survived, and why: tests/MUTANTS.md.
mutants *arguments:
    PROPTEST_DISABLE_FAILURE_PERSISTENCE=1 cargo mutants -o target/mutants-proto -p lockstep-proto -f proto/src/canon.rs \
        -f 'proto/src/log/*.rs' -f 'proto/src/log/vault/*.rs' --cargo-test-arg=--lib {{arguments}}
    PROPTEST_DISABLE_FAILURE_PERSISTENCE=1 cargo mutants -o target/mutants-crypto -p lockstep-crypto \
        -f client/crypto/src/envelope.rs -f client/crypto/src/padme.rs --cargo-test-arg=--lib {{arguments}}
    PROPTEST_DISABLE_FAILURE_PERSISTENCE=1 cargo mutants -o target/mutants-client -p lockstep-client \
        -f 'client/core/src/item/{merge,register,entry}.rs' --cargo-test-arg=--lib {{arguments}} -- item::
