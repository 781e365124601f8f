# A program for a recording: texts are parsed, changed and written anew; some of the data is kept.
import json
import random
import re

random.seed(42)
people = [{"name": "".join(random.choices("abcdefgh", k=random.randint(3, 20))),
           "tags": [str(random.random()) for _ in range(random.randint(0, 6))],
           "at": {"x": random.random(), "y": random.randint(0, 10 ** 9)}} for _ in range(1000)]
index = {}
for _ in range(5):
    people = json.loads(json.dumps(people))
    for i, person in enumerate(people):
        for word in re.findall("[a-c]+|[d-h]+", person["name"]):
            index.setdefault(word, []).append(i)
        if random.random() < 0.1:
            person["tags"] = sorted(person["tags"])[:2]
print(len(index), sum(map(len, index.values())))
