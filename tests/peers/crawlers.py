"""Crawls of a small loopback site by this tool and by its peers, with nothing asked for twice and no wait."""

import subprocess


def lastlight(binary, seed, work, robots):
    command = [binary, "crawl", seed, "--into", work / "snapshot", "--delay", "0", "--quiet", "--robots", robots]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, timeout=120)
    # A site may have answers that fail; anything but a crawl that ran is our fault.
    assert done.returncode in (0, 1), f"exit {done.returncode}"


def wget(seed, work):
    subprocess.run(
        ["wget", "-q", "-r", "-l", "inf", "-p", "-e", "robots=on", "--tries=1", "-P", work, seed],
        timeout=120,
        check=False,
    )


def httrack(seed, work):
    # -%u0: it takes // and / for one otherwise, and some sites redirect one to the other.
    subprocess.run(
        ["httrack", seed, "--path", work, "-q", "-s2", "-n", "-%u0", "--max-rate=0", "--disable-security-limits"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=180,
        check=False,
    )
