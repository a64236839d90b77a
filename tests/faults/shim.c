/* Fails or records a process's I/O below everything that it is made of, SQLite
 * included. Preloaded; it concerns files and directories below FAULT_ROOT only.
 *
 *   FAULT_ROOT   a directory, as realpath gives it
 *   FAULT_COUNT  a file that gets the numbers of operations, of reads and of syncs when
 *                the process ends
 *   FAULT_READ   the read that fails with EIO, from 1; reads aren't operations
 *   FAULT_SYNC   the sync of a file or directory that fails with EIO, from 1
 *   FAULT_FILE   what is in the path of a file: other operations aren't counted
 *   FAULT_AT     the operation that fails, from 1
 *   FAULT_KIND   eio, enospc or short; with a + behind it, all later writing
 *                operations fail too, as on a disk that stays full; kill: the process
 *                is killed before the operation; torn: in the middle of a write
 *   FAULT_CLOCK  a sequence of MS:SECONDS,: so long after the start of the process the
 *                clock of the day is set off by so much, in turn
 *   FAULT_TRACE  a file to which every operation is added that succeeded, with its data;
 *                a sync that failed is there as `lost`
 *
 * A line of a trace is `NAME length-of-path a b length-of-data`, then the path (and
 * for a rename the new one after a NUL) and the data.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *root, *kind, *only;
static size_t root_length;
static long at, count, read_at, reads, sync_at, syncs;
static int trace = -1, count_file = -1;
/* One operation at a time: a trace has an order. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(name) *)real(#name))

static void *real(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (!found) abort();
  return found;
}

__attribute__((constructor)) static void begin(void) {
  root = getenv("FAULT_ROOT");
  if (!root) return;
  root_length = strlen(root);
  kind = getenv("FAULT_KIND");
  only = getenv("FAULT_FILE");
  const char *text = getenv("FAULT_AT");
  at = text ? atol(text) : 0;
  text = getenv("FAULT_READ");
  read_at = text ? atol(text) : 0;
  text = getenv("FAULT_SYNC");
  sync_at = text ? atol(text) : 0;
  if ((text = getenv("FAULT_TRACE"))) trace = REAL(open)(text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if ((text = getenv("FAULT_COUNT"))) count_file = REAL(open)(text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

__attribute__((destructor)) static void end(void) {
  char text[64];
  if (count_file >= 0) {
    int length = snprintf(text, sizeof text, "%ld %ld %ld\n", count, reads, syncs);
    if (REAL(write)(count_file, text, length) < 0) return;
  }
}

static int is_below(const char *path) {
  return root && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

/* The path of an open file, if it is one of ours. */
static int named(int fd, char *path) {
  char link[64];
  if (!root) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_below(path);
}

/* The absolute path of a name, if it is one of ours. */
static int resolved(int directory, const char *name, char *path) {
  if (!root) return 0;
  if (name[0] == '/') {
    snprintf(path, PATH_MAX, "%s", name);
  } else if (directory == AT_FDCWD) {
    char here[PATH_MAX];
    if (!getcwd(here, sizeof here)) return 0;
    if (snprintf(path, PATH_MAX, "%s/%s", here, name) >= PATH_MAX) return 0;
  } else {
    char base[PATH_MAX];
    if (!named(directory, base)) return 0;
    if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
  }
  return is_below(path);
}

enum { OTHER, WRITES, SYNCS };

/* What becomes of an operation where no error does. */
enum { WHOLE = 0, SHORT = -1, TORN = -2 };

/* Counts an operation; the error with which it fails. */
static int fate(int what, const char *path) {
  int writes = what == WRITES;
  if (only && !strstr(path, only)) return WHOLE;
  count++;
  if (what == SYNCS && ++syncs == sync_at) return EIO;
  if (!at || !kind) return WHOLE;
  int stays = kind[strlen(kind) - 1] == '+';
  if (count != at && !(stays && writes && count > at)) return WHOLE;
  if (strcmp(kind, "torn") == 0 && writes) return TORN;
  if (strcmp(kind, "kill") == 0 || strcmp(kind, "torn") == 0) kill(getpid(), SIGKILL);
  if (strncmp(kind, "eio", 3) == 0) return EIO;
  if (strncmp(kind, "enospc", 6) == 0) return ENOSPC;
  return writes ? SHORT : EIO;
}

static void put(const void *data, size_t length) {
  const char *bytes = data;
  while (length > 0) {
    ssize_t written = REAL(write)(trace, bytes, length);
    if (written <= 0) abort();
    bytes += written;
    length -= written;
  }
}

static void told(const char *name, const char *path, size_t path_length, long long a, long long b, const void *data,
                 size_t length) {
  char line[128];
  if (trace < 0) return;
  int n = snprintf(line, sizeof line, "%s %zu %lld %lld %zu\n", name, path_length, a, b, length);
  put(line, n);
  put(path, path_length);
  put(data, length);
}

#define GUARDED(type, ours, what, act)                                                                                \
  char path[PATH_MAX];                                                                                                 \
  if (!(ours)) return act(0);                                                                                          \
  pthread_mutex_lock(&lock);                                                                                           \
  int error = fate(what, path);                                                                                        \
  type result = -1;                                                                                                    \
  if (error > 0)                                                                                                       \
    errno = error;                                                                                                     \
  else                                                                                                                 \
    result = act(error < 0);                                                                                           \
  int kept = errno;

#define DONE                                                                                                           \
  if (error == TORN) kill(getpid(), SIGKILL);                                                                          \
  pthread_mutex_unlock(&lock);                                                                                         \
  errno = kept;                                                                                                        \
  return result;

/* By how much the clock of the day is off now. */
static long off_by(void) {
  static const char *jumps;
  static struct timespec start;
  struct timespec now;
  if (!jumps) {
    const char *text = getenv("FAULT_CLOCK");
    REAL(clock_gettime)(CLOCK_MONOTONIC, &start);
    jumps = text ? text : "";
  }
  if (!*jumps) return 0;
  REAL(clock_gettime)(CLOCK_MONOTONIC, &now);
  long passed = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000, off = 0;
  for (const char *at = jumps; *at;) {
    char *end;
    long when = strtol(at, &end, 10);
    if (*end != ':') break;
    long seconds = strtol(end + 1, &end, 10);
    if (passed >= when) off = seconds;
    at = *end ? end + 1 : end;
  }
  return off;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int done = REAL(clock_gettime)(clock, time);
  if (!done && clock == CLOCK_REALTIME) time->tv_sec += off_by();
  return done;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  int done = REAL(gettimeofday)(time, zone);
  if (!done) time->tv_sec += off_by();
  return done;
}

time_t time(time_t *told) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now)) return (time_t)-1;
  if (told) *told = now.tv_sec;
  return now.tv_sec;
}

/* Whether a read of an open file is the one that fails. */
static int fails_to_read(int fd) {
  char path[PATH_MAX];
  if (!named(fd, path)) return 0;
  pthread_mutex_lock(&lock);
  int fails = ++reads == read_at;
  pthread_mutex_unlock(&lock);
  if (fails) errno = EIO;
  return fails;
}

ssize_t read(int fd, void *data, size_t length) {
  return fails_to_read(fd) ? -1 : REAL(read)(fd, data, length);
}

ssize_t pread64(int fd, void *data, size_t length, off64_t offset) {
  return fails_to_read(fd) ? -1 : REAL(pread64)(fd, data, length, offset);
}

ssize_t pread(int fd, void *data, size_t length, off_t offset) { return pread64(fd, data, length, offset); }

static ssize_t shortened(size_t length, int is_short) { return is_short && length > 1 ? length / 2 : length; }

ssize_t write(int fd, const void *data, size_t length) {
#define ACT(s) REAL(write)(fd, data, shortened(length, s))
  GUARDED(ssize_t, named(fd, path), WRITES, ACT)
  if (result > 0) told("append", path, strlen(path), lseek(fd, 0, SEEK_CUR) - result, 0, data, result);
  DONE
#undef ACT
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
#define ACT(s) REAL(pwrite64)(fd, data, shortened(length, s), offset)
  GUARDED(ssize_t, named(fd, path), WRITES, ACT)
  if (result > 0) told("write", path, strlen(path), offset, 0, data, result);
  DONE
#undef ACT
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t writev(int fd, const struct iovec *pieces, int n) {
  char path[PATH_MAX];
  if (!named(fd, path)) return REAL(writev)(fd, pieces, n);
  /* As many as one call may take is one's own choice (writev(2)). */
  for (int i = 0; i < n; i++)
    if (pieces[i].iov_len > 0) return write(fd, pieces[i].iov_base, pieces[i].iov_len);
  return 0;
}

/* Copies without passing through us would not be seen: callers then write. */
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags) {
  char path[PATH_MAX];
  if (!named(out, path)) return REAL(copy_file_range)(in, from, out, to, length, flags);
  errno = EXDEV;
  return -1;
}

ssize_t sendfile64(int out, int in, off64_t *offset, size_t length) {
  char path[PATH_MAX];
  if (!named(out, path)) {
    ssize_t (*next)(int, int, off64_t *, size_t) = real("sendfile64");
    return next(out, in, offset, length);
  }
  errno = EINVAL;
  return -1;
}

ssize_t sendfile(int out, int in, off_t *offset, size_t length) { return sendfile64(out, in, offset, length); }

int fsync(int fd) {
#define ACT(s) REAL(fsync)(fd)
  GUARDED(int, named(fd, path), SYNCS, ACT)
  told(result == 0 ? "sync" : "lost", path, strlen(path), 0, 0, "", 0);
  DONE
#undef ACT
}

int fdatasync(int fd) {
#define ACT(s) REAL(fdatasync)(fd)
  GUARDED(int, named(fd, path), SYNCS, ACT)
  told(result == 0 ? "sync" : "lost", path, strlen(path), 0, 0, "", 0);
  DONE
#undef ACT
}

int ftruncate64(int fd, off64_t length) {
#define ACT(s) REAL(ftruncate64)(fd, length)
  GUARDED(int, named(fd, path), OTHER, ACT)
  if (result == 0) told("truncate", path, strlen(path), length, 0, "", 0);
  DONE
#undef ACT
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int renamed(int from_directory, const char *from, int to_directory, const char *to, unsigned flags) {
  char both[2 * PATH_MAX], target[PATH_MAX];
#define ACT(s) REAL(renameat2)(from_directory, from, to_directory, to, flags)
  GUARDED(int, resolved(from_directory, from, path) && resolved(to_directory, to, target), OTHER, ACT)
  if (result == 0) {
    size_t length = strlen(path);
    memcpy(both, path, length + 1);
    strcpy(both + length + 1, target);
    told("rename", both, length + 1 + strlen(target), 0, 0, "", 0);
  }
  DONE
#undef ACT
}

int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int d, const char *from, int e, const char *to) { return renamed(d, from, e, to, 0); }
int renameat2(int d, const char *from, int e, const char *to, unsigned flags) { return renamed(d, from, e, to, flags); }

int unlinkat(int directory, const char *name, int flags) {
#define ACT(s) REAL(unlinkat)(directory, name, flags)
  GUARDED(int, resolved(directory, name, path), OTHER, ACT)
  if (result == 0) told("unlink", path, strlen(path), 0, 0, "", 0);
  DONE
#undef ACT
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdirat(int directory, const char *name, mode_t mode) {
#define ACT(s) REAL(mkdirat)(directory, name, mode)
  GUARDED(int, resolved(directory, name, path), OTHER, ACT)
  if (result == 0) told("mkdir", path, strlen(path), 0, 0, "", 0);
  DONE
#undef ACT
}

int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

static int opened(int directory, const char *name, int flags, mode_t mode) {
#define ACT(s) REAL(openat64)(directory, name, flags, mode)
  struct stat64 before;
  /* Reading fails too, but counting it would be counting a library's habits. */
  GUARDED(int, (flags & (O_CREAT | O_WRONLY | O_RDWR)) && (flags & O_TMPFILE) != O_TMPFILE && resolved(directory, name, path),
          OTHER, ACT)
  if (result >= 0 && (flags & O_CREAT) && fstat64(result, &before) == 0 && before.st_size == 0)
    told("create", path, strlen(path), 0, 0, "", 0);
  DONE
#undef ACT
}

#define MODE                                                                                                           \
  mode_t mode = 0;                                                                                                     \
  if (flags & (O_CREAT | O_TMPFILE)) {                                                                                 \
    va_list rest;                                                                                                      \
    va_start(rest, flags);                                                                                             \
    mode = va_arg(rest, mode_t);                                                                                       \
    va_end(rest);                                                                                                      \
  }

int open(const char *name, int flags, ...) { MODE return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE return opened(AT_FDCWD, name, flags, mode); }
int openat(int directory, const char *name, int flags, ...) { MODE return opened(directory, name, flags, mode); }
int openat64(int directory, const char *name, int flags, ...) { MODE return opened(directory, name, flags, mode); }
