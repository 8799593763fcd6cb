create table notes (
  id bigint generated always as identity primary key,
  text text not null,
  created timestamptz not null default now()
);

create table ticks (
  id bigint generated always as identity primary key,
  worker integer not null,
  at timestamptz not null default now()
);
