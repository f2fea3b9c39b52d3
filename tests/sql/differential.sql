# Statements that porpoise and the mysql command-line client run alike: one a line, `#` begins a note, and a name and a
# colon a statement for servers of that name only. Tables are temporary.
set sql_mode = ''
create temporary table numbers (id int unsigned not null auto_increment primary key, a tinyint, b smallint unsigned, c mediumint, d bigint unsigned, e decimal(65,30), f float, g double, h tinyint(1), i int(8) zerofill, k decimal(10,0) unsigned, unique key (a), key (b, c))
insert into numbers (a, b, c, d, e, f, g, h, i, k) values (-128, 65535, -8388608, 18446744073709551615, -99999999999999999999999999999999999.999999999999999999999999999999, -3.40282e38, 1.7976931348623157e308, 1, 42, 0)
insert into numbers (a, b, c, d, e, f, g, h, i, k) values (127, 0, 8388607, 0, 0.000000000000000000000000000001, 1.17549e-38, 2.2250738585072014e-308, 0, 0, 9999999999), (0, 1, 0, 9223372036854775808, 0, 0, -0.1, null, null, null), (null, null, null, null, null, null, null, null, null, null)
select * from numbers
select a, b as bb, n.c + 1, `d`, e * 2 from numbers as n where a is not null order by id desc
select min(a), max(d), sum(b), avg(e), count(*), std(f) from numbers
update numbers set h = 1 where id < 3
update numbers set a = 1 where id = 99
delete from numbers where id = 4
insert into numbers (a) values (300), (-300)
show warnings
insert into numbers (a) values (127)
insert ignore into numbers (a, b) values (127, 70000), (12, 70000)
replace into numbers (id, a) values (1, 5)
select last_insert_id(), row_count()
create temporary table texts (a char(5), b varchar(300), c text, d binary(4), e varbinary(10), f blob, g enum('x', 'yy', ''), h set('p', 'q', 'r'), i tinytext, j mediumtext, k longblob, l char(3) character set latin1, m varchar(10) character set utf8mb4 collate utf8mb4_bin)
insert into texts values ('ab   ', 'Größe', '😀 delphin', x'00ff', x'', x'0001fe', 'yy', 'p,r', '', 'm', x'ff', 'é', 'ß'), (null, null, null, null, null, null, null, null, null, null, null, null, null), ('', '', '', '', 'x', '', '', '', ' ', repeat('m', 300), repeat('k', 70000), '', 'Z')
select * from texts
select concat(b, c), upper(b), length(c), char_length(c), a = 'ab', hex(f) from texts
select group_concat(b separator '|'), count(distinct g) from texts group by h with rollup
create temporary table times (a date, b datetime, c datetime(6), d timestamp null, e timestamp(3) null, f time, g time(6), h year)
insert into times values ('1000-01-01', '9999-12-31 23:59:59', '2024-02-29 01:02:03.000004', '1970-01-02 00:00:01', '2038-01-19 03:14:07.999', '-838:59:59', '838:59:59.000000', 1901), ('0000-00-00', '0000-00-00', '0000-00-00 00:00:00', null, null, '00:00:00', '-00:00:00.000001', 2155), ('2024-00-15', '2024-02-30', null, null, null, null, null, 0)
select * from times
show warnings
select date(b), time(c), year(a), addtime(f, g), timediff(c, b), date_format(c, '%W %f') from times
create temporary table bits (a bit, b bit(9), c bit(64), d json, e geometry, f point)
insert into bits values (b'1', b'101010101', ~0, '{"a": [1, 2.5, null, "ä"]}', point(1, -2), point(0, 0)), (null, null, null, null, null, null), (b'0', b'0', 0, 'null', st_geomfromtext('LINESTRING(0 0, 1 1)'), null)
select * from bits
select b + 0, d, json_extract(d, '$.a[0]'), st_astext(e) from bits
mysql: select cast(d as char), d->>'$.a', json_type(d) from bits
mysql: create temporary table vectors (a vector, b vector(3) not null)
mysql: insert into vectors values (to_vector('[1, -2.5]'), to_vector('[0, 1e38, 3]')), (null, to_vector('[0, 0, 0]'))
mysql: select * from vectors
mariadb: create temporary table nets (a inet6, b uuid)
mariadb: insert into nets values ('::1', '123e4567-e89b-12d3-a456-426655440000'), (null, null)
mariadb: select * from nets
select null, null as n, '' as e, 'null' as s, true, 1 = 0, 1.0, 1e0, x'41', b'1000001', _binary'x', date'2024-01-02', time'-1:02:03', timestamp'2024-01-02 03:04:05.6'
select 'a' as `a b`, 'quote''s' as `it's`, 'x' as `ä`, 1 as ``
select 18446744073709551615, -9223372036854775808, 0.1 + 0.2, 0.1e0 + 0.2e0, 1/3, pi(), rand(3) < 2
select 1 where 1 = 0
select 1/0, cast('12x' as signed)
do 1/0
set @a = 1, @b := 'x'
select @a, @b, @nothing
select 1; select 2, 'b'; set @c = 3; select 1/0; do 0
select 1; insert into numbers (a) values (77), (78); select 'after' as s
select 1; select nosuch; select 3
select 1; select * from numbers where a = (select a from numbers)
selec
select * from nosuch
signal sqlstate '45000' set message_text = 'the sea is rough', mysql_errno = 1234
signal sqlstate '01000' set message_text = 'a warning'
show warnings
drop procedure if exists dive
create procedure dive(in n int, out depth int, inout name varchar(20)) begin select n as a union select n + 1; set depth = n * 10; select name, depth; set name = concat(name, '!'); update numbers set h = 1; end
set @name = 'orca'
call dive(3, @depth, @name)
select @depth, @name
drop procedure if exists nothing
create procedure nothing() begin end
call nothing()
drop procedure if exists fails
create procedure fails() begin select 1 as a; select 2 as b; signal sqlstate '45000' set message_text = 'in the middle'; select 3; end
call fails()
drop procedure dive
drop procedure fails
drop procedure nothing
drop procedure nothing
with recursive n(i) as (select 1 union all select i + 1 from n where i < 900) select i, repeat('x', i % 7), if(i % 5, i, null) from n
with recursive n(i) as (select 1 union all select i + 1 from n where i < 900) select repeat('0123456789', i) as s from n where i in (1, 25, 26, 900)
select repeat('a', 250), repeat('b', 251), repeat('c', 255), repeat('d', 256), repeat('e', 65535), repeat('f', 65536), repeat('g', 70000)
select * from numbers a join numbers b on a.id = b.id left join texts t on t.a = 'nothing'
show columns from numbers
show create table times
show variables like 'lower_case_table_names'
show count(*) warnings
begin
insert into numbers (a) values (100)
rollback
start transaction read only
commit
set names latin1
select 'é', b from texts
set names utf8mb4
analyze table numbers
checksum table numbers
explain select * from numbers where id = 1
truncate numbers
alter table numbers add column z int
drop temporary table numbers, texts, times, bits
