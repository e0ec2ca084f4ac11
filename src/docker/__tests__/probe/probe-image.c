/* What the image itself asks for, to be more than the host lets it: the test's hostile image has all of it. */
#include "probe.h"

#include <sys/stat.h>
#include <time.h>

#define PIECES 8
#define PIECE (128L * 1024 * 1024)

static void user(void) {
  if (getuid() == 0 || getgid() == 0) escaped("it runs as %d:%d", (int)getuid(), (int)getgid());
  blocked("it runs as %d:%d", (int)getuid(), (int)getgid());
}

/* A VOLUME is disk of the host, without a quota and writable even where the root is not. */
static void volume(void) {
  signal(SIGXFSZ, SIG_IGN);
  for (int index = 0; index < PIECES; index++) {
    char path[32];
    snprintf(path, sizeof path, "/data/piece-%d", index);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) blocked("%s", strerrorname_np(errno));
    int reason = posix_fallocate(fd, 0, PIECE);
    if (reason != 0) blocked("after %ld MiB: %s", index * PIECE / 1024 / 1024, strerrorname_np(reason));
  }
  escaped("1 GiB was written");
}

/* The image's HEALTHCHECK would make this file, 50 ms after the start. */
static void healthcheck(void) {
  struct timespec moment = {.tv_nsec = 50 * 1000 * 1000};
  for (int waited = 0; waited < 1500; waited += 50) {
    if (access("/tmp/healthcheck", F_OK) == 0) escaped("it ran");
    nanosleep(&moment, NULL);
  }
  blocked("it did not run");
}

static void preload(void) {
  const char *const names[] = {"LD_PRELOAD", "LD_LIBRARY_PATH"};
  for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
    const char *value = getenv(names[index]);
    if (value && *value) escaped("%s=%s", names[index], value);
  }
  blocked("they are not set");
}

static void graphics(void) {
  const char *devices = getenv("NVIDIA_VISIBLE_DEVICES");
  if (devices && strcmp(devices, "void") != 0) escaped("the image asks for devices: %s", devices);
  blocked("none is asked for");
}

/* A layer may bring ready-made devices: here /kmsg, which everybody may open. */
static void device(void) {
  struct stat information;
  if (stat("/kmsg", &information) != 0 || !S_ISCHR(information.st_mode)) blocked("the layer's device is not there");
  judge_open((const char *[]){"/kmsg", NULL}, O_RDONLY);
}

const struct probe IMAGE_PROBES[] = {
    {"image-user", "USER root", user},
    {"image-volume", "VOLUME /data, to write 1 GiB to the host's disk", volume},
    {"image-healthcheck", "HEALTHCHECK, to run a second program", healthcheck},
    {"image-preload", "ENV LD_PRELOAD and LD_LIBRARY_PATH", preload},
    {"image-gpu", "ENV NVIDIA_VISIBLE_DEVICES=all", graphics},
    {"image-device", "A device node in a layer, for everybody to open", device},
    {NULL, NULL, NULL},
};
