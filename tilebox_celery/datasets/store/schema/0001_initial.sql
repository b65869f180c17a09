-- Datasets, their collections, and the sealed segments of a collection.
--
-- The datapoints themselves are in one table for each dataset, tbd.rows_<key>, made by the code from the fields of the
-- dataset. Rows are the truth. Segments are a cache of rows in columnar form, and may be deleted at any time:
-- a segment holds all rows of its collection with first_ms <= time < end_ms, or it does not exist, since whoever
-- changes rows there deletes it in the same transaction.

create table tbd.datasets (
    key         int generated always as identity primary key,
    id          uuid not null unique default gen_random_uuid(),
    slug        text not null unique,
    name        text not null,
    description text not null default '',
    schema      jsonb not null,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);

-- version counts the transactions that changed rows: a segment is stored only if it is still the one of its rows.
create table tbd.collections (
    key         int generated always as identity primary key,
    id          uuid not null unique default gen_random_uuid(),
    dataset_key int not null references tbd.datasets,
    name        text not null,
    count       bigint not null default 0,
    version     bigint not null default 0,
    created_at  timestamptz not null default now(),
    unique (dataset_key, name)
);

-- metadata and data are Arrow IPC streams, compressed by Arrow; layout is the version of what is in them.
create table tbd.segments (
    id             bigint generated always as identity primary key,
    collection_key int not null references tbd.collections on delete cascade,
    first_ms       bigint not null,
    end_ms         bigint not null,
    count          int not null,
    version        bigint not null,
    layout         int not null,
    metadata       bytea not null,
    data           bytea not null,
    unique (collection_key, first_ms),
    check (first_ms < end_ms)
);
alter table tbd.segments alter metadata set storage external, alter data set storage external;
