//! The form of a database contract: `contracts/db/<domain>.v1.yaml`.
//!
//! Types only; what must hold between them is in `check`, what they become is in `ddl` and `rust`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// One database contract.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Version of the format; 1.
    #[serde(rename = "x-vox-version")]
    pub version: u32,
    /// Name of the domain; equals the name of the file.
    pub domain: String,
    /// The file the tables are in, unless a table says otherwise.
    pub file: File,
    /// Whether the tables move to a shared database, unless a table says otherwise.
    pub placement: Placement,
    /// The tables, by name.
    pub tables: Named<Table>,
}

/// The SQLite file a table is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum File {
    /// `vox.db`.
    State,
    /// `vault.db`.
    Vault,
}

impl File {
    /// Returns the name used in contracts and migrations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Vault => "vault",
        }
    }
}

/// Where a table is when a shared database is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// In the shared database.
    Shared,
    /// On each machine.
    Local,
}

/// One table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What one row is.
    pub doc: String,
    /// Name of the Rust row type.
    pub row: String,
    /// The files that hold this table, if not the domain's one.
    pub files: Option<Vec<File>>,
    /// Overrides the domain's placement.
    pub placement: Option<Placement>,
    /// The columns, by name and in order.
    pub columns: Named<Column>,
    /// Names of the key columns.
    pub primary_key: Vec<String>,
    /// Further sets of columns that are unique.
    #[serde(default)]
    pub unique: Vec<Vec<String>>,
    /// References to other tables.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    /// Indexes beside those that keys bring.
    #[serde(default)]
    pub indexes: Vec<Index>,
    /// Conditions each row meets.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// When rows go.
    pub retention: Retention,
}

/// One column.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// How much it gives away.
    pub class: Class,
    /// Whether the value may be unknown.
    #[serde(default)]
    pub nullable: bool,
    /// For `id`: the kind of thing named, as in `vox_base::kind`.
    pub of: Option<String>,
    /// For `int`: the smallest value.
    pub min: Option<i64>,
    /// For `int`: the largest value. For `text`, `json`, `bytes`: the greatest length.
    pub max: Option<i64>,
    /// For `enum`: the values.
    pub values: Option<Vec<String>>,
    /// For `bytes` over 4096: why they are not a blob file.
    pub inline_reason: Option<String>,
    /// What the value means, where the name does not say it.
    pub doc: Option<String>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// An id of 36 characters.
    Id,
    /// A whole number of 64 bits.
    Int,
    /// True or false.
    Bool,
    /// A floating-point number; never money.
    Real,
    /// Milliseconds since the epoch.
    TsMs,
    /// A UTC day, `YYYY-MM-DD`.
    Date,
    /// An amount in micro-USD.
    MicroUsd,
    /// An amount in nano-USD.
    NanoUsd,
    /// UTF-8 without NUL; `max` characters, 1024 unless told.
    Text,
    /// One of `values`.
    Enum,
    /// A SHA-256 in 64 hexadecimal digits.
    Digest,
    /// JSON text; `max` bytes, 65536 unless told.
    Json,
    /// Bytes; `max`, 4096 unless told.
    Bytes,
    /// The digest of a blob file.
    Cas,
}

/// How much a column gives away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub enum Class {
    /// Counters and versions.
    S0,
    /// Operational metadata without user content.
    S1,
    /// Lets one infer the shape of a workspace.
    S2,
    /// Content.
    S3,
}

/// A reference to another table of the same file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForeignKey {
    /// The referring columns.
    pub columns: Vec<String>,
    /// The table whose primary key they hold.
    pub references: String,
    /// What happens to these rows when that one goes.
    pub on_delete: OnDelete,
}

/// What a deletion does to the rows that refer to the deleted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// They go too.
    Cascade,
    /// It is refused.
    Restrict,
}

/// An index.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The columns, in order.
    pub columns: Vec<String>,
    /// A condition; only rows that meet it are in the index.
    #[serde(rename = "where")]
    pub only: Option<String>,
}

/// A condition each row meets.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Name of the condition, unique in the table.
    pub name: String,
    /// The condition, in SQL both engines understand.
    pub sql: String,
}

/// When rows of a table go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Retention {
    /// Never.
    KeepForever {
        /// Why that is right.
        reason: String,
    },
    /// Only when a person says so.
    Manual {
        /// Why that is right.
        reason: String,
    },
    /// So many days after the day in the column.
    Days {
        /// A `date` column.
        column: String,
        /// The number of days.
        days: u32,
    },
    /// So many days after the moment in the column; NULL is kept.
    MsDays {
        /// A `ts_ms` column.
        column: String,
        /// The number of days.
        days: u32,
    },
    /// At the moment in the column, which the writer set; NULL is kept.
    Expires {
        /// A `ts_ms` column.
        column: String,
    },
    /// Never; the engine itself refuses UPDATE and DELETE.
    AppendOnly {
        /// Why that is right.
        reason: String,
    },
    /// So many days after the moment in the column, and only behind the mark of the roll-up that keeps their sums;
    /// the engine itself refuses UPDATE, and DELETE before the mark.
    RolledUp {
        /// A `ts_ms` column.
        column: String,
        /// The number of days.
        days: u32,
        /// The table that keeps the sums; its mark is in `rollup_mark`.
        rollup: String,
    },
    /// All but the newest rows of each group, newest by the last column of the primary key.
    KeepLast {
        /// How many stay.
        n: u32,
        /// The columns that make a group.
        by: Vec<String>,
    },
    /// With the row of the parent, by a cascading reference.
    CascadeOf {
        /// The parent.
        table: String,
    },
}

/// Things by name, in the order of the file.
#[derive(Debug, Clone)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Named<T> {
    /// Returns the thing of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, thing)| thing)
    }

    /// Returns the names and things in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, thing)| (name.as_str(), thing))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for InOrder<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut things = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    things.push(entry);
                }
                Ok(Named(things))
            }
        }
        deserializer.deserialize_map(InOrder(std::marker::PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let thing = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": thing, "minProperties": 1 })
    }
}

impl Table {
    /// Returns the files that hold this table.
    #[must_use]
    pub fn files(&self, domain: &Domain) -> Vec<File> {
        self.files.clone().unwrap_or_else(|| vec![domain.file])
    }

    /// Returns the highest class of its columns.
    #[must_use]
    pub fn class(&self) -> Class {
        self.columns.iter().map(|(_, column)| column.class).max().unwrap_or(Class::S0)
    }
}

/// Returns the JSON Schema of a database contract.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Domain).to_value()
}
