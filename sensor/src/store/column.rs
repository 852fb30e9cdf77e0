//! How values that SQLite does not know are written in its columns. Nothing here knows a table.

use std::fmt::Display;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::de::value::StrDeserializer;
use serde::de::{Deserialize, IntoDeserializer};
use serde::{Serialize, de};

use contract::timestamp::Timestamp;

/// A value as the text that it displays and parses.
pub(super) struct Text<T>(pub(super) T);

/// A value that is one word to serde.
pub(super) struct Word<T>(pub(super) T);

/// The moment in a column of microseconds.
pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

/// The moment in a column of microseconds that may be empty.
pub(super) fn moment_if_any(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let micros: Option<i64> = row.get(column)?;
    Ok(micros.map(Timestamp::from_micros))
}

impl<T: Display> ToSql for Text<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.to_string().into())
    }
}

impl<T: FromStr> FromSql for Text<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let read = value.as_str()?.parse();
        read.map(Self).map_err(FromSqlError::other)
    }
}

impl<T: Serialize> ToSql for Word<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_value(&self.0) {
            Ok(serde_json::Value::String(word)) => Ok(word.into()),
            Ok(_) => Err(conversion("not one word")),
            Err(error) => Err(conversion(error)),
        }
    }
}

impl<T: for<'a> Deserialize<'a>> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word: StrDeserializer<'_, de::value::Error> = value.as_str()?.into_deserializer();
        T::deserialize(word).map(Self).map_err(FromSqlError::other)
    }
}

/// A value that has no place in a column.
pub(super) fn conversion(
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

/// The first and the last address of a network as 16 bytes that sort as addresses do, IPv4 as v4-mapped.
pub(super) fn ends(net: IpNet) -> ([u8; 16], [u8; 16]) {
    (octets(net.network()), octets(net.broadcast()))
}

fn octets(address: IpAddr) -> [u8; 16] {
    let mapped: Ipv6Addr = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    mapped.octets()
}

/// A feature vector as little-endian bytes.
pub(super) fn packed(features: &[f32]) -> Vec<u8> {
    features
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// The feature vector again.
pub(super) fn unpacked(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks::<4>();
    values
        .iter()
        .map(|value| f32::from_le_bytes(*value))
        .collect()
}
