// Starts programs and says how long they ran: what bench/add measures with, because starting a process from
// Python costs as much as an ADD.
//
// Reads batches from standard input, each one line a program and an empty line after the last:
//     STDIN \t STDOUT \t KEY=VALUE... \t -- \t PROGRAM \t ARGUMENT...
// (the environment is what the line says and nothing else; standard error goes to STDOUT too). Starts the
// programs of a batch together, and when all have ended writes one line for each, in order:
//     START END STATUS MAXRSS
// START and END are nanoseconds of CLOCK_MONOTONIC, taken before vfork and after wait; STATUS is as of
// wait(2); MAXRSS, in kilobytes, is the largest process of the program and its children. Linux counts what
// the caller of vfork had in memory into that: static and small, so that it is below what any program needs.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { max_jobs = 1024, max_words = 64 };

struct job {
    char* line;
    char* environment[max_words];
    char* arguments[max_words];
    int input, output;
    pid_t pid;
    long long start, end;
    int status;
    long maxrss;
};

static struct job* jobs;

static void fail(char const* what) {
    fprintf(stderr, "spawn: %s: %s\n", what, strerror(errno));
    exit(2);
}

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void read_job(struct job* job) {
    char* rest = job->line;
    char* const input = strsep(&rest, "\t\n");
    char* const output = strsep(&rest, "\t\n");
    int variables = 0, arguments = 0;
    char* word;
    while ((word = strsep(&rest, "\t\n")) && strcmp(word, "--") != 0)
        if (variables < max_words - 1) job->environment[variables++] = word;
    while ((word = strsep(&rest, "\t\n")))
        if (*word && arguments < max_words - 1) job->arguments[arguments++] = word;
    job->environment[variables] = job->arguments[arguments] = NULL;
    errno = EINVAL;
    if (!output || arguments == 0) fail("read a line");
    job->input = open(input, O_RDONLY | O_CLOEXEC);
    if (job->input < 0) fail(input);
    job->output = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (job->output < 0) fail(output);
}

static void start(struct job* job) {
    job->start = now();
    job->pid = vfork();
    if (job->pid == 0) {
        if (dup2(job->input, 0) == 0 && dup2(job->output, 1) == 1 && dup2(job->output, 2) == 2)
            execve(job->arguments[0], job->arguments, job->environment);
        _exit(127);
    }
    if (job->pid < 0) fail("vfork");
}

// Takes in one program that has ended. Returns whether there was one.
static int reap(int count, int options) {
    int status;
    struct rusage usage;
    pid_t const pid = wait4(-1, &status, options, &usage);
    if (pid < 0) fail("wait");
    long long const end = now();
    for (int i = 0; pid > 0 && i < count; ++i) {
        if (jobs[i].pid != pid) continue;
        jobs[i].end = end;
        jobs[i].status = status;
        jobs[i].maxrss = usage.ru_maxrss;
        return 1;
    }
    return 0;
}

static void run_batch(int count) {
    for (int i = 0; i < count; ++i) read_job(&jobs[i]);
    int running = 0;
    for (int i = 0; i < count; ++i) {
        start(&jobs[i]);
        ++running;
        while (count > 1 && running > 0 && reap(count, WNOHANG)) --running;
    }
    while (running > 0) running -= reap(count, 0);
    for (int i = 0; i < count; ++i) {
        printf("%lld %lld %d %ld\n", jobs[i].start, jobs[i].end, jobs[i].status, jobs[i].maxrss);
        close(jobs[i].input);
        close(jobs[i].output);
        free(jobs[i].line);
    }
    fflush(stdout);
}

int main(void) {
    jobs = calloc(max_jobs, sizeof *jobs);
    if (!jobs) fail("start");
    int count = 0;
    char* line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        if (*line == '\n') {
            run_batch(count);
            count = 0;
            continue;
        }
        errno = E2BIG;
        if (count == max_jobs) fail("read a batch");
        jobs[count++].line = line;
        line = NULL;
        size = 0;
    }
    return 0;
}
