/* Adds SLOW_FSYNC_US microseconds to every fsync and fdatasync of the program that preloads it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void pause_a_little(void)
{
    const char *text = getenv("SLOW_FSYNC_US");
    long us = text ? atol(text) : 1500;
    struct timespec span = {us / 1000000, (us % 1000000) * 1000};
    nanosleep(&span, NULL);
}

int fsync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    pause_a_little();
    return real(fd);
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    pause_a_little();
    return real(fd);
}
