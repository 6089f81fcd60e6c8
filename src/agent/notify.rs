//! Tells the service manager how the agent is (sd_notify(3)), and that it is alive.

use std::{
    env,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process,
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};

/// How often the manager is told our counts, at most.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);
/// How soon a sign of life that the manager did not take is repeated.
const RETRY: Duration = Duration::from_millis(500);

/// The service manager, if there is one.
#[derive(Debug, Default)]
pub(super) struct Manager {
    address: Option<SocketAddr>,
    /// How often it wants a sign of life, and when the next is due; half of what it waits for.
    watchdog: Option<(Duration, Instant)>,
    /// What it was last told, and when.
    status: Option<(String, Instant)>,
}

impl Manager {
    /// The one that the environment names.
    pub(super) fn of_environment() -> Self {
        let address = env::var("NOTIFY_SOCKET").ok().and_then(|path| match path.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok(),
            None => SocketAddr::from_pathname(&path).ok(),
        });
        let for_us = env::var("WATCHDOG_PID").map_or(true, |pid| pid == process::id().to_string());
        let wanted = env::var("WATCHDOG_USEC").ok().and_then(|time| time.parse().ok()).filter(|_| for_us);
        Self::new(address, wanted.filter(|time| *time > 0).map(Duration::from_micros))
    }

    fn new(address: Option<SocketAddr>, watchdog: Option<Duration>) -> Self {
        Self { address, watchdog: watchdog.map(|time| (time / 2, Instant::now())), status: None }
    }

    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    /// The configuration is being read again; [`Self::ready`] ends that.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.as_micros()));
    }

    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// When a sign of life is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.watchdog.map(|(_, due)| due)
    }

    /// Gives a sign of life if one is due, and tells `status` if there is news. Called by the main loop and nobody else: one that is
    /// stuck is to be noticed.
    pub(super) fn live(&mut self, status: impl FnOnce() -> String) {
        let now = Instant::now();
        if let Some((interval, due)) = self.watchdog.filter(|(_, due)| *due <= now) {
            let pause = if self.send("WATCHDOG=1") { interval } else { RETRY.min(interval) };
            self.watchdog = Some((interval, due.max(now) + pause));
        }
        let is_due = self.status.as_ref().is_none_or(|(_, told)| *told + STATUS_INTERVAL <= now);
        if self.address.is_some() && is_due {
            let news = status();
            if self.status.as_ref().is_none_or(|(old, _)| *old != news) {
                self.send(&format!("STATUS={news}"));
            }
            self.status = Some((news, now));
        }
    }

    /// Whether it was taken. Without a manager, or with one that is gone or busy, nothing happens, and nothing waits.
    fn send(&self, message: &str) -> bool {
        let Some(address) = &self.address else { return false };
        let send = || {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.send_to_addr(message.as_bytes(), address)
        };
        send().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_of_life_and_news_and_nothing_twice() {
        let path = env::temp_dir().join(format!("handclasp-notify-{}", process::id()));
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let heard = || {
            let mut bytes = [0; 100];
            let length = socket.recv(&mut bytes).ok()?;
            Some(String::from_utf8(bytes[..length].into()).unwrap())
        };
        let address = SocketAddr::from_pathname(&path).unwrap();
        let mut manager = Manager::new(Some(address), Some(Duration::from_secs(20)));
        manager.ready();
        manager.live(|| "1 done".into());
        for expected in ["READY=1", "WATCHDOG=1", "STATUS=1 done"] {
            assert_eq!(heard().as_deref(), Some(expected));
        }
        let due = manager.deadline().unwrap();
        assert!(due > Instant::now() + Duration::from_secs(5), "half of what it waits for");
        manager.live(|| unreachable!("it was just told"));
        assert_eq!(heard(), None);
        manager.reloading();
        let text = heard().unwrap();
        let time = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().parse::<u64>().unwrap();
        let uptime = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap());
        assert!(
            Duration::from_micros(time) <= uptime,
            "not later than the clock that counts suspended time, too"
        );
        std::fs::remove_file(&path).unwrap();
        drop(socket);
        manager.watchdog = Some((Duration::from_secs(10), Instant::now()));
        manager.live(String::new);
        let soon = Instant::now() + Duration::from_secs(5);
        assert!(manager.deadline().unwrap() < soon, "who did not hear is told soon");
    }
}
