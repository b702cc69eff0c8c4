//! Everything that is generated and committed: row types and schemas of the store, a JSON Schema beside each contract,
//! and the pages of `docs/reference`.
//!
//! Each part returns paths and texts; only this file compares and writes. The page of the command line is not here: it is
//! made from the arguments of the binary, by `vox help reference`.

mod contracts;
mod environment;
mod errors;
mod schemas;
mod tables;

use crate::files;
use std::path::Path;
use vox_base::Document;
use vox_contract::GeneratedFile;

/// Writes what is generated; returns what stood in the way.
pub(crate) fn write(root: &Path) -> Vec<String> {
    match generated(root) {
        Ok(files) => files.iter().filter(|file| is_stale(root, file)).filter_map(|file| write_one(root, file).err()).collect(),
        Err(findings) => findings,
    }
}

/// Returns one finding for each committed file that is not what would be generated.
pub(crate) fn check(root: &Path) -> Vec<String> {
    match generated(root) {
        Ok(files) => {
            let stale = files.iter().filter(|file| is_stale(root, file));
            stale.map(|file| format!("{}: stale, run `cargo xtask codegen`", file.path)).collect()
        }
        Err(findings) => findings,
    }
}

fn generated(root: &Path) -> Result<Vec<GeneratedFile>, Vec<String>> {
    let sources = Sources::read(root);
    let databases: Vec<(&str, &str)> = sources.yaml("contracts/db/").collect();
    let mut generated =
        vox_contract::generate(&databases).map_err(|findings| findings.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    generated.extend(schemas::files());
    generated.push(page("errors", "contracts/errors", &errors::page(&sources)?));
    generated.push(page("env", "contracts/config/env-vars.v1.yaml", &environment::page(&sources)?));
    generated.push(page("tables", "contracts/db", &tables::page(&sources)?));
    let schemas: Vec<&str> = generated.iter().map(|file| file.path.as_str()).filter(|path| path.ends_with(".schema.json")).collect();
    let contracts = contracts::page(root, &sources, &schemas);
    generated.push(page("contracts", "contracts", &contracts));
    Ok(generated)
}

fn page(name: &str, source: &str, body: &str) -> GeneratedFile {
    let text = format!("<!-- Generated from {source} by `cargo xtask codegen`; do not edit. -->\n\n{body}");
    GeneratedFile { path: format!("docs/reference/{name}.md"), text }
}

fn is_stale(root: &Path, file: &GeneratedFile) -> bool {
    std::fs::read(root.join(&file.path)).map_or(true, |committed| committed != file.text.as_bytes())
}

fn write_one(root: &Path, file: &GeneratedFile) -> Result<(), String> {
    let path = root.join(&file.path);
    let folder = path.parent().unwrap_or(root);
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, &file.text)).map_err(|error| format!("{}: {error}", file.path))
}

/// The texts of all contracts, sorted, with paths from the root of the repository.
struct Sources(Vec<(String, String)>);

impl Sources {
    fn read(root: &Path) -> Self {
        let folder = root.join("contracts");
        let mut texts: Vec<(String, String)> = ["yaml", "json"]
            .into_iter()
            .flat_map(|extension| files(&folder, extension))
            .map(|(path, text)| (path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/"), text))
            .collect();
        texts.sort_unstable();
        Self(texts)
    }

    fn yaml<'a>(&'a self, prefix: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .iter()
            .filter(move |(path, _)| path.starts_with(prefix) && path.ends_with(".yaml"))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Decodes every YAML file below a path; the errors name file, line and key.
    fn decode<T: serde::de::DeserializeOwned>(&self, prefix: &str) -> Result<Vec<(&str, T)>, Vec<String>> {
        let (mut decoded, mut findings) = (Vec::new(), Vec::new());
        for (path, text) in self.yaml(prefix) {
            match Document::parse(path, text).and_then(|document| document.decode()) {
                Ok(value) => decoded.push((path, value)),
                Err(error) => findings.push(error.to_string()),
            }
        }
        if findings.is_empty() { Ok(decoded) } else { Err(findings) }
    }
}

/// Returns the first paragraph of the comment a file opens with, as one line.
fn opening(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns text in which nothing is taken for a tag; what stands in backticks stays as it is.
fn prose(text: &str) -> String {
    let escaped = |(at, part): (usize, &str)| if at % 2 == 0 { part.replace('<', "\\<") } else { part.to_owned() };
    text.split('`').enumerate().map(escaped).collect::<Vec<_>>().join("`")
}

/// Returns text as it may stand in a cell of a table.
fn cell(text: &str) -> String {
    prose(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_what_is_generated() {
        assert_eq!(check(&crate::root()), [] as [String; 0]);
    }

    #[test]
    fn the_opening_is_the_first_paragraph_of_the_comment() {
        assert_eq!(opening("# One\n# line.\n#\n# More.\nkey: 1 # not this\n"), "One line.");
        assert_eq!(opening("key: 1\n# later\n"), "");
    }

    #[test]
    fn a_cell_keeps_its_table_and_its_code() {
        assert_eq!(cell("a | b <dir>, `<ID>`"), r"a \| b \<dir>, `<ID>`");
    }
}
