"""Runs named checks one after the other; one that fails doesn't hide the next."""

import sys
import time
import traceback


class Checks:
    def __init__(self, title):
        self.title, self.passed, self.failed = title, 0, 0

    def run(self, name, check, *arguments):
        """A check fails by raising; what it returns, if anything, is said beside its name."""
        began = time.monotonic()
        try:
            said = check(*arguments)
        except Exception as fault:  # whatever went wrong, the next check is still worth running
            self.failed += 1
            print(f"FAILED {name}\n  {str(fault) or type(fault).__name__}", flush=True)
            if not isinstance(fault, AssertionError):
                traceback.print_exc(file=sys.stdout)
            return None
        self.passed += 1
        print(f"ok     {name} ({time.monotonic() - began:.1f} s){': ' + str(said) if said else ''}", flush=True)
        return said

    def done(self):
        """The last line, and the exit code."""
        print(f"{self.title}: {self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def few(findings, most=10):
    """The first findings, one a line, and how many more there are."""
    findings = [str(finding) for finding in findings]
    more = [f"... and {len(findings) - most} more"] if len(findings) > most else []
    return "\n  ".join(findings[:most] + more)
