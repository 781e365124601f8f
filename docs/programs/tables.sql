-- For `heapmark exec --suite programs`: two tables in memory, filled, joined, changed and indexed.
-- Prints lines that are the same in each run.
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer INTEGER, amount INTEGER, note TEXT);

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO customer SELECT i, 'name-' || (i * 7919 % 20011), 'city-' || (i % 97) FROM n;

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000)
INSERT INTO purchase
SELECT i, 1 + i * 48271 % 20000, i * 69621 % 1000, 'note ' || hex(i * 2654435761) FROM n;

CREATE INDEX purchase_customer ON purchase (customer);

SELECT city, count(*), sum(amount) FROM customer JOIN purchase ON customer.id = purchase.customer
GROUP BY city ORDER BY 3 DESC, city LIMIT 5;

UPDATE purchase SET note = note || ' of ' || (SELECT name FROM customer WHERE customer.id = customer)
WHERE id % 3 = 0;
DELETE FROM purchase WHERE id % 5 = 0;

SELECT count(*), sum(length(note)) FROM purchase;
SELECT length(group_concat(note, ';')) FROM purchase WHERE id % 7 = 0;
SELECT count(*) FROM (SELECT name, city FROM customer ORDER BY city, name DESC LIMIT 15000);
