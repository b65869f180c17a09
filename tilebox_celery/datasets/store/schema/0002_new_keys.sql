-- A dataset gets a new key with each table that cannot be read as the one before: whoever still knows the old key finds
-- no table, instead of values in a type that they no longer have.

alter table tbd.collections
    drop constraint collections_dataset_key_fkey,
    add constraint collections_dataset_key_fkey foreign key (dataset_key) references tbd.datasets on update cascade;
