#!/usr/bin/env bash
# record --objects: a program whose graph is known is recorded object by object, is listed as it is, and is the
# live heap of collectors; a program that can not be recorded is said.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python=/usr/bin/python3
if ! $python -c 'import gc; gc.freeze' 2>/dev/null; then
    trap - EXIT
    rm -rf "$work"
    echo "skipped: there is no $python with gc.freeze"
    exit 77
fi

# json FILE EXPRESSION: of what `trace objects` says about it, as t, and its types by name, as n.
json() {
    "$hm" trace objects "$1" --format json >shown.json &&
        $python -c "import json; t = json.load(open('shown.json')); n = {x['name']: x for x in t['types']}; assert $2, t"
}

# A ring, a tree and a dictionary with itself in it share a leaf; and there is garbage at the end.
cat >known.py <<'END'
import sys
leaf = 3.25
ring = [[leaf] for _ in range(10)]
for i in range(10):
    ring[i].append(ring[(i + 1) % 10])
ring = ring[0]


def tree(depth):
    return [tree(depth - 1), tree(depth - 1)] if depth else [leaf]


root = tree(3)
pair = {"self": [leaf]}
pair["self"].append(pair)
lost = [leaf]
lost.append(lost)
del tree, i, lost
print(len(sys.argv), *sys.argv[1:], __name__)
sys.exit(3)
END

# 10 of the ring, 15 of the tree, a dict and its list. References: 20; 14 and 8; the dict's, and that list's two.
heapmark record --objects -o known.hmobjects -- $python -X utf8 known.py one --two
expect_exit 3
expect_out "^3 one --two __main__$"
expect_one_line "27 containers, 1 leaves, 45 references, 3 roots"
expect "not the known graph" json known.hmobjects \
    "(t['containers'], t['leaves'], t['references'], t['roots']) == (27, 1, 45, 3)"
expect "not the known types" json known.hmobjects \
    "n['list']['containers'] == 26 and n['dict']['containers'] == 1 and n['float']['leaves'] == 1"
expect "the ring and the pair are not what counts leave" json known.hmobjects "t['left_containers'] == 12"
expect "the program is not told" json known.hmobjects "t['command'] == 'known.py one --two' and t['collect_ns'] > 0"
expect "a file of the recording is left" test "$(echo known.hmobjects*)" = known.hmobjects

# What a program counts itself, with its classes and functions, is what is recorded.
cat >counted.py <<'END'
import gc


class Node:
    def __init__(self, other):
        self.other = other


nodes = [Node(None) for _ in range(50)]
for node in nodes:
    node.other = nodes[len(nodes) // 2]
del node


def count():
    """All but the functions of code that runs: the module, and what is between brackets."""
    gc.collect()
    things = [t for t in gc.get_objects() if type(t) is not kind or t.__code__.co_name[0] != "<"]
    return len(things), sum(map(len, map(gc.get_referents, things)))


kind = type(count)
print(*count())
END
heapmark record --objects -o counted.hmobjects -- $python counted.py
expect_exit 0
read -r containers references <"$out"
expect "not what the program counted" json counted.hmobjects \
    "(t['containers'], t['references']) == (${containers:-0}, ${references:-0})"
expect "not all instances" json counted.hmobjects "n['__main__.Node']['containers'] == 50"

# At other moments.
cat >moments.py <<'END'
import heapmark_objects
import os
import signal
keep = [[i] for i in range(3000)]
heapmark_objects.snapshot()
if signal.getsignal(signal.SIGUSR2) is not signal.SIG_DFL:
    os.kill(os.getpid(), signal.SIGUSR2)
del keep
END
for moment in call collection=2 signal=USR2; do
    rm -f moments.hmobjects
    heapmark record --objects --quiet --at $moment -o moments.hmobjects -- $python -X dev moments.py
    expect_exit 0
    expect "nothing of it at $moment" json moments.hmobjects "n['list']['containers'] > 100"
done
heapmark record --objects -o gone.hmobjects -- $python moments.py
expect_exit 0
expect "what is gone is there" json gone.hmobjects "n.get('list', {'containers': 0})['containers'] < 100"

# As the live heap of collectors.
snapshot=snapshot:file=known.hmobjects
heapmark run -a system -c generational,marksweep -w $snapshot,$snapshot:what=garbage,$snapshot:what=churn \
    --rounds 1 --metrics space --no-plots -o run
expect_exit 0
expect_column run/samples.csv status ok
for name in syntax orders; do
    heapmark trace objects $name
    expect_exit 0
    expect_out "program      docs/objects/$name.py"
done

# What can not be recorded.
refused() {
    heapmark record --objects "$@"
    expect_exit 2
}
refused -o known.hmobjects -- $python known.py
expect_one_line "known.hmobjects is there already"
refused -o a
expect_one_line "which program"
refused -o a -- $python
expect_one_line "which program"
refused -o a -- $python -m json
expect_one_line "'-m': the program must be a file"
refused --att exit -- $python known.py
expect_one_line "unknown option '--att'"
refused --at never -o a -- $python known.py
expect_one_line "must be exit, call, collection=N"
refused -o a -- $python nowhere.py
expect_one_line "nowhere.py: .*No such file"
heapmark record --objects -o a -- ./nowhere known.py
expect_exit 127
echo 'import os; os._exit(0)' >early.py
heapmark record --objects -o a -- $python early.py
expect_exit 1
expect_one_line "early.py was not recorded"
expect "something is left of what was refused" test ! -e a
heapmark run -a system -c generational -w snapshot:file=early.py -o o
expect_refusal "snapshot: early.py: not a recorded object graph"
heapmark trace objects early.py
expect_refusal "early.py: not a recorded object graph"
