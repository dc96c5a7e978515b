//! A TUN device: the kernel hands over whole IP packets, one for each read.
//! Must be opened by a thread that is inside the network namespace in which the device shall appear.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;

/// IFF_TUN | IFF_NO_PI: IP packets, no header before them.
const FLAGS: u16 = 0x1001;

pub(super) fn open(name: &str) -> io::Result<File> {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    let mut request = [0_u8; 40];
    request[..name.len()].copy_from_slice(name.as_bytes());
    request[16..18].copy_from_slice(&FLAGS.to_ne_bytes());
    attach(&device, &mut request)?;
    rustix::io::ioctl_fionbio(&device, true)?;
    Ok(device)
}

/// The kernel offers no other way to make a TUN device than this ioctl.
/// Sound: `request` has the size of `struct ifreq` and outlives the call; the tests of `link` cross the device.
#[allow(unsafe_code)]
fn attach(device: &File, request: &mut [u8; 40]) -> io::Result<()> {
    let answer = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) };
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
