-- A program for a recording: a database in memory, filled in a transaction, indexed, joined and changed.
create table person(id integer primary key, name text, city integer);
create table city(id integer primary key, name text, note text);
begin;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 300)
insert into city select i, 'city ' || i, hex(zeroblob(i % 200)) from n;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 40000)
insert into person select i, 'name ' || (i * 7919 % 6007), i * 31 % 300 + 1 from n;
commit;
create index by_name on person(name);
create index by_city on person(city);
select count(*), max(length(note)) from person join city on city.id = person.city where person.name like 'name 1%';
select city.name, count(*), group_concat(person.name, ',') from person join city on city.id = person.city
    group by city.id order by 2 desc, 1 limit 5;
update person set name = name || ' the second' where id % 3 = 0;
delete from person where id % 5 = 0;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 400)
select sum(length((select group_concat(name) from person where city = i))) from n;
select count(distinct name) from person;
