"""Keeps records as a service that answers from memory does: customers and orders as instances, their lines as
dictionaries out of JSON, and two indices. No object refers back to what holds it."""

import collections
import json
import random

random.seed(6)
CITIES = ["Aachen", "Bergen", "Cadiz", "Derby", "Evora", "Ghent"]


class Customer:
    def __init__(self, number):
        self.number = number
        self.name = f"customer {number}"
        self.city = random.choice(CITIES)
        self.orders = []


class Order:
    __slots__ = ("number", "lines", "paid")

    def __init__(self, number, lines):
        self.number = number
        self.lines = lines
        self.paid = random.random() < 0.8


def lines_of(number):
    lines = [
        {"item": random.randrange(500), "count": random.randrange(1, 9), "tags": ["new", "old"][: number % 3]}
        for _ in range(random.randrange(1, 6))
    ]
    return json.loads(json.dumps(lines))


customers = [Customer(number) for number in range(800)]
orders = {}
by_city = collections.defaultdict(list)
for one in customers:
    by_city[one.city].append(one)
for order_number in range(3000):
    order = Order(order_number, lines_of(order_number))
    orders[order_number] = order
    random.choice(customers).orders.append(order)
