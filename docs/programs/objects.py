"""For `heapmark exec --suite programs`: dictionaries, lists, texts and JSON, as many programs have them.

Prints one line that is the same in each run.
"""

import json


class Order:
    def __init__(self, number, customer, items):
        self.number = number
        self.customer = customer
        self.items = items

    def total(self):
        return sum(price * count for price, count in self.items)


def make_orders(count):
    seed = 1
    for number in range(count):
        items = []
        for _ in range(1 + seed % 6):
            seed = (seed * 1103515245 + 12345) % 2**31
            items.append((seed % 9973 / 100, 1 + seed % 4))
        yield Order(number, f"customer-{seed % 700}", items)


def work(rounds):
    digest = 0
    kept = {}
    for number in range(rounds):
        by_customer = {}
        for order in make_orders(4000):
            by_customer.setdefault(order.customer, []).append(order)
        texts = {
            name: json.dumps([{"number": o.number, "total": round(o.total(), 2)} for o in orders])
            for name, orders in sorted(by_customer.items())
        }
        for name, text in texts.items():
            digest = (digest * 31 + len(text) + len(json.loads(text))) % 1000003
        kept[number % 3] = texts
    return digest, len(kept)


print(*work(10))
