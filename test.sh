#!/usr/bin/env bash
# Everything, from nothing: installs what it needs, checks, tests, builds, and lets real browsers loose on the result.
#
#   ./test.sh          all that a change must pass
#   ./test.sh --full   and the benchmarks with their budgets
#
# The first failure ends it and shows its log. The last line counts the tests.
set -euo pipefail
cd "$(dirname "$0")"
full=${1:-}
[[ $full =~ ^(--full)?$ ]] || { echo "usage: $0 [--full]" >&2; exit 2; }

log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
# Steps run in groups of their own, which a terminal's interrupt does not reach.
trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM
export chromium=${CHROMIUM:-/usr/lib/chromium/chromium}
# Seconds a step may take. The longest, the first build on a slow machine, takes a third of it: what takes longer hangs, and its
# log names the test.
limit=1500

# step NAME COMMAND…: one line while it goes well.
step() {
  local name=$1 began=$SECONDS file
  file=$log/$(printf '%02d' "$(find "$log" -type f | wc -l)")
  shift
  printf '%-46s' "$name"
  timeout --kill-after=10 "$limit" bash -euo pipefail -c '"$@"' step "$@" >"$file" 2>&1 &
  if wait $!; then
    printf '%5d s\n' $((SECONDS - began))
  else
    printf 'FAILED after %d s\n\n' $((SECONDS - began))
    tail -n 150 "$file"
    echo
    echo "FAILED: $name"
    count
    exit 1
  fi
}

# The sums of what cargo's and node's runners say.
count() {
  sed -E 's/\x1b\[[0-9;]*m//g' "$log"/* | awk '
    /^test result:/ { passed += $4; failed += $6 }
    /^(ℹ|#) pass /  { passed += $3 }
    /^(ℹ|#) fail /  { failed += $3 }
    END { printf "%d passed, %d failed\n", passed, failed }'
}

tools() {
  local missing=()
  [[ -x $chromium ]] || missing+=(chromium)
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  command -v promtool >/dev/null || missing+=(prometheus)
  command -v ip >/dev/null || missing+=(iproute2)
  if ((${#missing[@]})); then
    local root=()
    ((EUID == 0)) || root=(sudo)
    "${root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -qq -y --no-install-recommends "${missing[@]}"
  fi
  cargo --version
  node --version
  node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo 'node is older than 20' >&2; return 1; }
}

client() { npm --prefix client "$@"; }
release() { cargo build --release --locked -p tower-flashback -p integration --features tower-flashback/cli "$@"; }
# links NAME COMMAND…: visitors behind links of their own, where we may make network namespaces.
links() {
  local name="real links: $1"
  shift
  if unshare --net true 2>/dev/null; then
    step "$name" "$@"
  else
    printf '%-46s skipped: no network namespaces without root\n' "$name"
  fi
}
unchanged() { git diff --exit-code -- client/dist && [[ -z $(git status --porcelain -- client/dist) ]]; }

export -f tools client release unchanged
step 'tools' tools
step 'format' cargo fmt --all --check
step 'lints' cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
step 'pure parts, without any async crate' cargo check --no-default-features --locked
step 'tests of the pure parts' cargo test --no-default-features --lib --locked
step 'tests, every feature' cargo test --workspace --all-features --locked
step 'manual' env RUSTDOCFLAGS='-D warnings' cargo doc --workspace --all-features --no-deps --locked
step 'client: packages' client ci
step 'client: types and lints' client run check
step 'client: tests' client test
step 'client: build' client run build
step 'client: what is committed is what was built' unchanged
step 'client: sizes' client run size
step 'alerts and rules' promtool test rules grafana/tests/alerts.yml grafana/tests/rules.yml
step 'release build' release --bin flashback --bin origin --bin links
step 'browsers: packages' npm --prefix integration/browser ci
step 'browsers' npm --prefix integration/browser test
links 'eight visitors' target/release/links --visitors 8 --over 4s
links 'digests by neighbours' target/release/links --visitors 8 --over 4s --list-digests-below 2
links 'the broker dies' target/release/links --visitors 12 --over 6s --dwell 8s --kill-origin 5s --patience 25s
step 'operators: packages' npm --prefix integration/operators ci
step 'operators: prometheus' npm --prefix integration/operators run prometheus
step 'operators: status page' npm --prefix integration/operators run page
if [[ $full ]]; then
  step 'benchmarks: build' release --bin calm --bin sockets
  step 'cost of calm' target/release/calm
  step 'cost of an idle signalling socket' target/release/sockets
  links '8 to 64 visitors' target/release/links --visitors 8,16,32,64 --check
  links '64 visitors, 7 of 10 Mbit/s' target/release/links --visitors 64 --budget 7mbit --check
  links '6 browsers at a thin origin' npm --prefix integration/browser run links
  step 'cost of metrics: build' release --bin metrics
  step 'cost of metrics' target/release/metrics
fi
count
