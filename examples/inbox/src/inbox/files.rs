use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The files of a SQLite database, as they were when it was opened.
///
/// SQLite goes on to write to files that were removed or replaced. What is committed there is lost.
#[derive(Debug)]
pub(super) struct Files {
    database: PathBuf,
    files: Vec<(PathBuf, Identity)>,
}

impl Files {
    pub(super) fn open(database: &Path) -> io::Result<Self> {
        // Without the log or its index, commits are lost or overwritten.
        let files = ["", "-wal", "-shm"].map(|suffix| {
            let mut path = database.as_os_str().to_owned();
            path.push(suffix);
            let path = PathBuf::from(path);
            let identity = Identity::of(&path)?;
            Ok((path, identity))
        });
        Ok(Self {
            database: database.into(),
            files: files.into_iter().collect::<io::Result<_>>()?,
        })
    }

    /// Returns an error unless all files are still the same.
    pub(super) fn check(&self) -> Result<(), String> {
        for (path, opened) in &self.files {
            if Identity::of(path).ok().as_ref() != Some(opened) {
                let path = path.display();
                return Err(format!("{path} was removed or replaced: restart the inbox"));
            }
        }
        // In a write-ahead log's database, the first page is always in the file.
        if fs::metadata(&self.database).is_ok_and(|file| file.len() == 0) {
            return Err(format!("{} was truncated", self.database.display()));
        }
        Ok(())
    }
}

/// The device and the inode of a file.
#[derive(Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;

        let file = fs::metadata(path)?;
        Ok(Self(file.dev(), file.ino()))
    }

    /// Other systems do not let go of files that are open.
    #[cfg(not(unix))]
    fn of(_: &Path) -> io::Result<Self> {
        Ok(Self(0, 0))
    }
}
