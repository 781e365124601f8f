#!/usr/bin/env bash
# docs/workloads.md holds what the binary says of its workloads; after a change: scripts/workloads-doc.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The generated part, without its marks and the blank lines around it.
sed -n '/^<!-- begin list -->$/,/^<!-- end list -->$/p' "$source_dir/docs/workloads.md" |
    sed '1,2d;$d' | sed '$d' >doc

heapmark list workloads --format markdown
expect_exit 0
sed -i '$d' "$out"
if ! diff doc "$out" >changes; then
    sed "s/^/  diff| /" changes | head -n 20
    fail "docs/workloads.md is not what the binary says: scripts/workloads-doc --list-only HEAPMARK"
fi
[[ $(grep -c '^### ' doc) -eq $(cat "$source_dir"/workloads/*/*.c | grep -cE '^    \.name = "[a-z0-9-]+",$') ]] ||
    fail "not as many workloads as there are files"

# Descriptors say where a workload is from, and what it tells about, in one line each.
heapmark list workloads --format json
python3 - "$out" <<'END' || fail "a descriptor says too little"
import json, sys
for w in json.load(open(sys.argv[1]))["workloads"]:
    assert w["kind"] in ("heap", "object", "thread", "process"), w
    for key in ("summary", "stresses", "origin", "op"):
        assert w[key] and "\n" not in w[key] and not w[key].endswith("."), (w["name"], key)
    for p in w["params"]:
        assert p["help"] and "unit" in p and "default" in p, (w["name"], p)
        assert "choices" in p or "min" in p or p["default"] == "", (w["name"], p)
    for f in w["figures"]:
        assert f["better"] in ("lower", "higher", "neither") and f["unit"], (w["name"], f)
    assert w["max_threads"] >= 0
END

heapmark list workloads
expect "more than 80 columns" bash -c "! grep -E '.{81}' '$out'"
expect_out "^    stresses: " "^    origin: " "^    kind: heap$" "^    kind: object$"
expect_out "^    figure: producer_waits, batches: "

heapmark list workloads --format marckdown
expect_refusal "must be table, json or markdown"
