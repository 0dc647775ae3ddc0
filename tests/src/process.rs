use core::time::Duration;
use std::fs;

/// What Linux tells of a process.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

impl Process {
    /// The process with this id.
    #[must_use]
    pub fn new(pid: u32) -> Self {
        Self(pid)
    }

    /// How many bytes of memory it has in use.
    #[must_use]
    pub fn resident_bytes(self) -> u64 {
        self.status("VmRSS:")
    }

    /// How many bytes of address space it has reserved.
    #[must_use]
    pub fn address_space_bytes(self) -> u64 {
        self.status("VmSize:")
    }

    fn status(self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok())
            .expect("a number")
            * 1024
    }

    /// How long it has been computing.
    #[must_use]
    pub fn cpu_time(self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).expect("a process");
        // The second field is a name in parentheses, which may hold spaces.
        let (_, fields) = stat.rsplit_once(") ").expect("fields");
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: u64 = ticks
            .map(|ticks| ticks.parse::<u64>().expect("a number"))
            .sum();
        // A tick is 10 ms on every Linux (USER_HZ).
        Duration::from_millis(ticks * 10)
    }
}
