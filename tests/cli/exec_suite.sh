#!/usr/bin/env bash
# The suites of `heapmark exec`: ours, and the files of others, with a server and without.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Ours names what there is; what is not installed is skipped with its package.
heapmark exec --suite programs --dry-run
expect_exit 0
for program in lua python3 sqlite3 redis gcc gnuplot; do
    expect_out "^exec:$program/system/-/-/none"
done
heapmark exec -a system --suite programs --only gcc,sqlite3 --dry-run
expect_out "^exec:gcc/" "^exec:sqlite3/"
! grep -qE "exec:(lua|gnuplot)" "$out" || fail "--only takes more than it names"
run env PATH=/nowhere "$hm" exec -a system --suite programs --dry-run
expect_exit 0
expect_out "exec:lua/system.*skip: lua5.4 is not installed: package lua5.4 has it" \
    "exec:redis/system.*skip: redis-"

mkdir "of mine"
cat >"of mine/suite.ini" <<'INI'
; one that works in an empty folder, with a variable and an input
[plain]
command = sh -c 'test "$COLOUR" = "deep blue" && test -z "$(ls)" && grep -q suite.ini && touch left'
env = COLOUR=deep blue
stdin = {dir}/input
[missing]
command = true
needs = no-such-program
package = nothing
[status]
command = sh -c "exit 9"
expect = 9
INI
echo "this is beside suite.ini" >"of mine/input"
heapmark exec -a system --suite "of mine/suite.ini" --rounds 1 --no-plots -o o
expect_exit 0
expect_out "exec:missing/system.*skip: no-such-program is not installed: package nothing has it"
python3 - o/stats.csv <<'END' || fail "not the programs that can be measured"
import csv, sys
sys.exit({r["params"] for r in csv.DictReader(open(sys.argv[1]))} != {"plain", "status"})
END

# A server: the time is the client's, all else is the server's.
cat >server.py <<'PY'
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
block = bytearray(50 << 20)
s = socket.socket(socket.AF_UNIX)
s.bind("s.sock")
s.listen()
while True:
    c, _ = s.accept()
    c.recv(10)
    c.send(b"yes")
    c.close()
PY
cat >client.py <<'PY'
import os, socket, sys, time
assert "witness" not in os.environ.get("LD_PRELOAD", "")
c = socket.socket(socket.AF_UNIX)
c.connect("s.sock")
c.send(b"?")
assert c.recv(10) == b"yes"
time.sleep(float(sys.argv[1]))
PY
cat >served.ini <<'INI'
[served]
server = python3 {dir}/server.py
ready = python3 {dir}/client.py 0
command = python3 {dir}/client.py 0.1
INI
heapmark exec -a system --suite served.ini --rounds 1 --no-plots -o served
expect_exit 0
python3 - served/samples.csv <<'END' || fail "the client's time, or the server's memory, is not what it has to be"
import csv, sys
v = {r["metric"]: float(r["value"]) for r in csv.DictReader(open(sys.argv[1])) if r["allocator"] == "system"}
sys.exit(not (v["wall_ns"] >= 1e8 and v["peak_rss_bytes"] >= 50 << 20))
END
sed -i 's/^server = .*/server = sh -c "echo no room >\&2; exit 4"/' served.ini
heapmark exec -a system --suite served.ini --rounds 1 --no-plots -o dead
expect_exit 1
expect_out "the server: exit status 4, not 0 \(.*no room\)|the server: exit status 4"

# refuses WORDS TEXT: a file that is no suite, with its line.
refuses() {
    printf '%b' "$2" >bad.ini
    # shellcheck disable=SC2086
    heapmark exec -a system --suite bad.ini -o none
    expect_refusal "bad.ini" "$1"
    [[ ! -e none ]] || fail "it made a folder"
}
refuses "bad.ini:2: unknown key 'comand'" '[a]\ncomand = true\n'
refuses "a quote is open" '[a]\ncommand = sh -c "true\n'
refuses "\[a\] has no command" '[a]\nneeds = sh\n'
refuses "'server' and 'ready' go together" '[a]\ncommand = true\nserver = true\n'
refuses "bad.ini:1" 'command = true\n'
refuses "the loader's variables" '[a]\ncommand = true\nenv = LD_PRELOAD=x\n'
refuses "exit status from 0 to 255" '[a]\ncommand = true\nexpect = 256\n'
refuses "given twice" '[a]\ncommand = true\n[b]\ncommand = true\n[a]\nexpect = 1\n'
refuses "name 'a/b' must be" '[a/b]\ncommand = true\n'
refuses "no programs" ''
heapmark exec -a system --suite served.ini --only servd -o none
expect_refusal "no program 'servd'"
