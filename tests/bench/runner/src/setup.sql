-- What the benches read and write. Run as an administrator; the comment of the last table says that all are there.

CREATE DATABASE IF NOT EXISTS pf_bench;
USE pf_bench;
CREATE USER IF NOT EXISTS 'pf_u'@'%' IDENTIFIED WITH caching_sha2_password BY 'secret';
GRANT ALL ON pf_bench.* TO 'pf_u'@'%';
SET SESSION cte_max_recursion_depth = 1000000;

-- Three numbers, one of them negative, and a short text.
DROP TABLE IF EXISTS pf_narrow;
CREATE TABLE pf_narrow (a INT NOT NULL PRIMARY KEY, b INT NOT NULL, c INT NOT NULL, s VARCHAR(16) NOT NULL);
INSERT INTO pf_narrow
  WITH RECURSIVE q (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM q WHERE n < 999999)
  SELECT n, n * 7919 % 100003, -(n % 997), CONCAT('v', HEX(n * 31 % 1048576)) FROM q;

-- Twenty columns of nearly all types, two with NULLs.
DROP TABLE IF EXISTS pf_wide;
CREATE TABLE pf_wide (
  id INT NOT NULL PRIMARY KEY,
  i1 TINYINT NOT NULL, i2 SMALLINT NOT NULL, i3 INT NOT NULL, i4 BIGINT NOT NULL, u1 BIGINT UNSIGNED NOT NULL,
  f FLOAT NOT NULL, d DOUBLE NOT NULL, de DECIMAL(12, 4) NOT NULL,
  dt DATETIME(6) NOT NULL, da DATE NOT NULL, ti TIME NOT NULL, ts TIMESTAMP NOT NULL,
  s1 VARCHAR(20) NOT NULL, s2 VARCHAR(60) NOT NULL, s3 CHAR(10) NOT NULL, vb VARBINARY(16) NOT NULL,
  en ENUM('red', 'green', 'blue') NOT NULL, n1 INT NULL, n2 VARCHAR(20) NULL
);
INSERT INTO pf_wide
  WITH RECURSIVE q (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM q WHERE n < 99999)
  SELECT n, n % 100, n % 30000, n * 3, n * 1000003, n * 900719925, n / 8, n / 3, n * 1.25,
    TIMESTAMPADD(MICROSECOND, n * 12345, '2024-01-01'), TIMESTAMPADD(DAY, n % 3000, '2010-01-01'),
    SEC_TO_TIME(n % 86400), TIMESTAMPADD(SECOND, n, '2024-01-01'),
    CONCAT('name', n), REPEAT('x', n % 60), LPAD(n, 10, 'p'), LEFT(UNHEX(SHA2(n, 256)), 16),
    ELT(1 + n % 3, 'red', 'green', 'blue'), IF(n % 2, n, NULL), IF(n % 3, CONCAT('o', n), NULL)
  FROM q;

DROP TABLE IF EXISTS pf_point;
CREATE TABLE pf_point (
  id INT NOT NULL PRIMARY KEY, k INT NOT NULL, c VARCHAR(120) NOT NULL, pad VARCHAR(60) NOT NULL, d DOUBLE NOT NULL
);
INSERT INTO pf_point
  WITH RECURSIVE q (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM q WHERE n < 9999)
  SELECT n, n * 13 % 9973, REPEAT(CHAR(97 + n % 26), 100), REPEAT('-', 50), n / 7 FROM q;

-- One value of 8 MiB.
DROP TABLE IF EXISTS pf_blob;
CREATE TABLE pf_blob (id INT NOT NULL PRIMARY KEY, b LONGBLOB NOT NULL);
INSERT INTO pf_blob VALUES (0, REPEAT(RANDOM_BYTES(1024), 8192));

ANALYZE TABLE pf_narrow, pf_wide, pf_point;

DROP TABLE IF EXISTS pf_ins;
CREATE TABLE pf_ins (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL, b INT NOT NULL, s VARCHAR(32) NOT NULL
) COMMENT 'porpoise benches, 1';
