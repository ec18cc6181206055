/* A library with the calls of NVML that Pilotfish uses. A script (NVML_SCRIPT) says what they return.

   The script has lines `key=value`. It is read again when the file changes, so that a test changes it while the sampler
   runs; replace it by a rename. Integers are in the units of NVML. A call whose value has no line returns NOT_SUPPORTED.

   power.0=250000                        a value of GPU 0
   instance.0.2.memory_used=1            a value of MIG instance 2 of GPU 0
   processes.0=41:1024 42:2048           pid:bytes; of an instance: instance.0.2.processes
   tasks.0=41:30:5 42:60:9               pid:sm:memory, for the utilization of processes
   stamp.0.41=future                     the time of the sample of process 41: 0, or an hour ahead; it is in each answer
   rates.0=30 35 40                      the driver's own samples of the utilization
   xids.0=79 31                          events; those added after the registration are delivered
   clock=-3600000000                     added to the driver's time, in microseconds
   fail.nvmlDeviceGetName.0=15           the return code of a call, without the number: for each GPU
   fail.*=9                              the return code of every call that has no line of its own
   hang.nvmlDeviceGetName.0=1            the call never returns
   crash.nvmlDeviceGetName=1             the process ends
   count.nvmlDeviceGetSamples=400000000  the length that the call for the size of a list returns
   grow.nvmlDeviceGetSamples=1           the call for the content of a list returns INSUFFICIENT_SIZE
   lie.nvmlDeviceGetSamples=9            the length that the call for the content returns
   empty.nvmlDeviceGetProcessUtilization=1   success without a sample

   With -DOLD, the calls that newer drivers added are missing. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, TIMEOUT = 10, INVALID = 2 };
enum { MOST_LINES = 4096, MOST_GPUS = 128, PART = 256, KEY = 128 };

typedef unsigned long long u64;
typedef struct { char *key, *value; } Line;

static Line lines[MOST_LINES];
static int known;
static struct timespec changed;
static ino_t inode;
static unsigned delivered[MOST_GPUS];

static int by_key(const void *a, const void *b) { return strcmp(((const Line *)a)->key, ((const Line *)b)->key); }

static void load(void) {
    static char *content;
    const char *path = getenv("NVML_SCRIPT");
    struct stat found;
    if (!path || stat(path, &found)) return;
    if (found.st_ino == inode && !memcmp(&found.st_mtim, &changed, sizeof changed)) return;
    inode = found.st_ino, changed = found.st_mtim, known = 0;
    FILE *file = fopen(path, "r");
    free(content);
    content = calloc(1, (size_t)found.st_size + 1);
    if (fread(content, 1, (size_t)found.st_size, file) == 0) content[0] = 0;
    fclose(file);
    for (char *rest = content, *line; (line = strsep(&rest, "\n")) && known < MOST_LINES;) {
        char *value = strchr(line, '=');
        if (!value) continue;
        *value = 0;
        lines[known++] = (Line){line, value + 1};
    }
    qsort(lines, (size_t)known, sizeof *lines, by_key);
}

static const char *text(const char *format, ...) {
    char key[KEY];
    va_list rest;
    va_start(rest, format);
    vsnprintf(key, sizeof key, format, rest);
    va_end(rest);
    Line wanted = {key, NULL}, *found = bsearch(&wanted, lines, (size_t)known, sizeof *lines, by_key);
    return found ? found->value : NULL;
}

/* A handle is 0x10000 + GPU * PART, and + 1 + number for a MIG instance. */
static void *handle_of(long gpu, long part) { return (void *)(0x10000 + gpu * PART + part); }
static int gpu_of(const void *handle) { return (int)(((long)handle - 0x10000) / PART); }
static int part_of(const void *handle) { return (int)(((long)handle - 0x10000) % PART) - 1; }

static const char *value_of(const void *handle, const char *name) {
    if (part_of(handle) < 0) return text("%s.%d", name, gpu_of(handle));
    return text("instance.%d.%d.%s", gpu_of(handle), part_of(handle), name);
}

static const char *fault(const char *kind, const char *function, int gpu) {
    const char *found = text("%s.%s.%d", kind, function, gpu);
    if (!found) found = text("%s.%s", kind, function);
    return found ? found : text("%s.*", kind);
}

static int enter(const char *function, int gpu) {
    load();
    const char *code = fault("fail", function, gpu);
    if (fault("hang", function, gpu)) for (;;) pause();
    if (fault("crash", function, gpu)) abort();
    return code ? atoi(code) : SUCCESS;
}

#define ENTER(gpu) do { int code = enter(__func__, gpu); if (code) return code; } while (0)

static int number(const void *handle, const char *name, u64 *out) {
    const char *found = value_of(handle, name);
    if (!found) return NOT_SUPPORTED;
    *out = strtoull(found, NULL, 10);
    return SUCCESS;
}

static int small(const void *handle, const char *name, unsigned *out) {
    u64 wide = 0;
    int code = number(handle, name, &wide);
    if (!code) *out = (unsigned)wide;
    return code;
}

static int copied(const char *found, char *out, unsigned size) {
    if (!found) return NOT_SUPPORTED;
    snprintf(out, size, "%s", found);
    return SUCCESS;
}

static u64 now(void) {
    struct timeval time;
    const char *shift = text("clock");
    gettimeofday(&time, NULL);
    return (u64)((long long)time.tv_sec * 1000000 + time.tv_usec + (shift ? atoll(shift) : 0));
}

static unsigned words(const char *list) {
    unsigned count = 0;
    for (const char *at = list; at && *at; at += strcspn(at, " "), at += strspn(at, " ")) count++;
    return count;
}

/* The two calls for a list: without room, its length; with room, its content. Sets `count` and returns a code. */
static int list_size(const char *function, int gpu, unsigned actual, unsigned *count, int has_room) {
    const char *claimed = fault("count", function, gpu), *lie = fault("lie", function, gpu);
    unsigned room = *count;
    if (!has_room) {
        *count = claimed ? (unsigned)strtoull(claimed, NULL, 10) : actual;
        return *count ? INSUFFICIENT_SIZE : SUCCESS;
    }
    *count = lie ? (unsigned)strtoull(lie, NULL, 10) : actual;
    return room < actual || fault("grow", function, gpu) ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; ENTER(-1); return SUCCESS; }
int nvmlShutdown(void) { ENTER(-1); return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "an error"; }

int nvmlSystemGetDriverVersion(char *out, unsigned size) { ENTER(-1); return copied(text("driver"), out, size); }

int nvmlDeviceGetCount_v2(unsigned *out) {
    ENTER(-1);
    const char *found = text("devices");
    *out = found ? (unsigned)strtoull(found, NULL, 10) : 0;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out) {
    ENTER((int)index);
    *out = handle_of(index, 0);
    return text("uuid.%u", index) ? SUCCESS : INVALID;
}

#define TEXT(function, name) \
    int function(void *handle, char *out, unsigned size) { ENTER(gpu_of(handle)); return copied(value_of(handle, name), out, size); }
#define NUMBER(function, name) \
    int function(void *handle, unsigned *out) { ENTER(gpu_of(handle)); return small(handle, name, out); }

TEXT(nvmlDeviceGetUUID, "uuid")
TEXT(nvmlDeviceGetName, "name")
NUMBER(nvmlDeviceGetEnforcedPowerLimit, "power_limit")
NUMBER(nvmlDeviceGetPowerUsage, "power")
NUMBER(nvmlDeviceGetMaxMigDeviceCount, "instances")
NUMBER(nvmlDeviceGetGpuInstanceId, "gpu_instance")
NUMBER(nvmlDeviceGetComputeInstanceId, "compute_instance")

int nvmlDeviceGetTotalEnergyConsumption(void *handle, u64 *out) { ENTER(gpu_of(handle)); return number(handle, "energy", out); }

int nvmlDeviceGetTemperature(void *handle, unsigned sensor, unsigned *out) {
    (void)sensor;
    ENTER(gpu_of(handle));
    return small(handle, "temperature", out);
}

int nvmlDeviceGetTotalEccErrors(void *handle, unsigned kind, unsigned counter, u64 *out) {
    (void)counter;
    ENTER(gpu_of(handle));
    return number(handle, kind ? "ecc_uncorrected" : "ecc_corrected", out);
}

int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) {
    ENTER(gpu_of(handle));
    *pending = 0;
    return small(handle, "mig", current);
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **out) {
    ENTER(gpu_of(handle));
    *out = handle_of(gpu_of(handle), 1 + (long)index);
    return value_of(*out, "uuid") ? SUCCESS : NOT_FOUND;
}

typedef struct { unsigned processors, engines[5], gpu_slices, compute_slices; u64 megabytes; } Attributes;

int nvmlDeviceGetAttributes_v2(void *handle, Attributes *out) {
    ENTER(gpu_of(handle));
    memset(out, 0, sizeof *out);
    return small(handle, "slices", &out->compute_slices);
}

typedef struct { u64 total, free, used; } Memory;
typedef struct { unsigned version; u64 total, reserved, free, used; } Memory2;

static int memory(const void *handle, u64 *total, u64 *unused, u64 *used) {
    int code = number(handle, "memory_total", total);
    return code || (code = number(handle, "memory_free", unused)) ? code : number(handle, "memory_used", used);
}

int nvmlDeviceGetMemoryInfo(void *handle, Memory *out) {
    ENTER(gpu_of(handle));
    return memory(handle, &out->total, &out->free, &out->used);
}

int nvmlDeviceGetUtilizationRates(void *handle, unsigned *out) {
    ENTER(gpu_of(handle));
    int code = small(handle, "utilization", out);
    return code ? code : small(handle, "memory_utilization", out + 1);
}

typedef struct { u64 at; union { double real; unsigned whole; u64 wide; } value; } Sample;

int nvmlDeviceGetSamples(void *handle, unsigned kind, u64 since, unsigned *type, unsigned *count, Sample *out) {
    (void)kind;
    ENTER(gpu_of(handle));
    const char *found = value_of(handle, "rates");
    if (!found) return NOT_SUPPORTED;
    unsigned actual = words(found), room = *count, kept = 0;
    u64 newest = now();
    *type = 1; /* unsigned int */
    int code = list_size(__func__, gpu_of(handle), actual, count, out != NULL);
    if (!out) return code == INSUFFICIENT_SIZE ? SUCCESS : code;
    if (code) return code;
    for (unsigned i = 0; i < actual && i < room; i++, found += strcspn(found, " "), found += strspn(found, " ")) {
        u64 at = newest - (actual - i) * 1000;
        if (at > since) out[kept].at = at, out[kept++].value.whole = (unsigned)strtoul(found, NULL, 10);
    }
    if (!fault("lie", __func__, gpu_of(handle))) *count = kept;
    return kept ? SUCCESS : NOT_FOUND;
}

typedef struct { unsigned pid; u64 memory; unsigned gpu_instance, compute_instance; } Process;

static int processes(const char *function, const void *handle, const char *name, unsigned *count, Process *out) {
    const char *found = value_of(handle, name);
    unsigned room = *count, actual = words(found);
    int code = list_size(function, gpu_of(handle), actual, count, out != NULL);
    if (!out || code) return code;
    for (unsigned i = 0; i < actual && i < room; i++, found += strcspn(found, " "), found += strspn(found, " ")) {
        char *colon;
        out[i] = (Process){(unsigned)strtoul(found, &colon, 10), 0, ~0u, ~0u};
        out[i].memory = colon[1] == '?' ? ~0ull : strtoull(colon + 1, NULL, 10);
    }
    return SUCCESS;
}

#define PROCESSES(function, name) \
    int function(void *handle, unsigned *count, Process *out) { ENTER(gpu_of(handle)); return processes(__func__, handle, name, count, out); }

PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, "processes")

typedef struct { unsigned pid; u64 at; unsigned sm, memory, encoder, decoder; } Task;

/* The time of the sample of a process: `at`, or what the script says. */
static u64 stamp_of(const void *handle, unsigned pid, u64 at) {
    const char *found = text("stamp.%d.%u", gpu_of(handle), pid);
    return !found ? at : *found == '0' ? 0 : at + 3600000000ull;
}

static int read_task(const char **at, unsigned *pid, unsigned *sm, unsigned *memory) {
    char *end;
    *pid = (unsigned)strtoul(*at, &end, 10);
    *sm = (unsigned)strtoul(end + 1, &end, 10);
    *memory = (unsigned)strtoul(end + 1, &end, 10);
    *at = end + strspn(end, " ");
    return 1;
}

int nvmlDeviceGetProcessUtilization(void *handle, Task *out, unsigned *count, u64 since) {
    ENTER(gpu_of(handle));
    const char *found = value_of(handle, "tasks");
    u64 at = now() - 1000;
    unsigned room = *count, actual = at > since ? words(found) : 0;
    if (fault("empty", __func__, gpu_of(handle))) return *count = 0, SUCCESS;
    if (!actual) return NOT_FOUND;
    int code = list_size(__func__, gpu_of(handle), actual, count, out != NULL);
    for (unsigned i = 0; out && !code && i < actual && i < room; i++) {
        out[i] = (Task){.at = at};
        read_task(&found, &out[i].pid, &out[i].sm, &out[i].memory);
        out[i].at = stamp_of(handle, out[i].pid, at);
    }
    return code;
}

static int registered[MOST_GPUS]; /* an event set is a pointer to the number of its GPU */

int nvmlEventSetCreate(void **out) {
    ENTER(-1);
    static int next;
    *out = &registered[next++ % MOST_GPUS];
    return SUCCESS;
}

int nvmlDeviceRegisterEvents(void *handle, u64 kinds, int *set) {
    (void)kinds;
    ENTER(gpu_of(handle));
    *set = gpu_of(handle);
    delivered[*set] = words(value_of(handle, "xids"));
    return SUCCESS;
}

typedef struct { void *device; u64 kind, data; unsigned gpu_instance, compute_instance; } Event;

int nvmlEventSetWait_v2(int *set, Event *out, unsigned milliseconds) {
    (void)milliseconds;
    ENTER(*set);
    const char *found = text("xids.%d", *set);
    if (words(found) <= delivered[*set]) return TIMEOUT;
    for (unsigned i = 0; i < delivered[*set]; i++) found += strcspn(found, " "), found += strspn(found, " ");
    delivered[*set]++;
    *out = (Event){handle_of(*set, 0), 8, strtoull(found, NULL, 10), ~0u, ~0u};
    return SUCCESS;
}

#ifndef OLD
int nvmlDeviceGetMemoryInfo_v2(void *handle, Memory2 *out) {
    ENTER(gpu_of(handle));
    out->reserved = 1;
    return memory(handle, &out->total, &out->free, &out->used);
}

PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, "processes")
PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, "clients")

typedef struct { u64 at; unsigned pid, sm, memory, engines[4]; } NewTask;
typedef struct { unsigned version, count; u64 since; NewTask *tasks; } NewTasks;

int nvmlDeviceGetProcessesUtilizationInfo(void *handle, NewTasks *out) {
    ENTER(gpu_of(handle));
    if (out->version != 0x01000018) return 25; /* ARGUMENT_VERSION_MISMATCH */
    const char *found = value_of(handle, "tasks");
    u64 at = now() - 1000;
    unsigned room = out->count, actual = at > out->since ? words(found) : 0;
    if (!actual) return NOT_FOUND;
    int code = list_size(__func__, gpu_of(handle), actual, &out->count, out->tasks != NULL);
    for (unsigned i = 0; out->tasks && !code && i < actual && i < room; i++) {
        out->tasks[i] = (NewTask){.at = at};
        read_task(&found, &out->tasks[i].pid, &out->tasks[i].sm, &out->tasks[i].memory);
        out->tasks[i].at = stamp_of(handle, out->tasks[i].pid, at);
    }
    return code;
}

typedef struct { int gpu, instance; } GpmSample;
typedef struct { unsigned id; int code; double value; const char *names[3]; } Metric;
typedef struct { unsigned version, count; GpmSample *first, *second; Metric metrics[477]; } Metrics;

int nvmlGpmQueryDeviceSupport(void *handle, unsigned *out) {
    ENTER(gpu_of(handle));
    const char *found = value_of(handle, "gpm");
    out[1] = found && atoi(found);
    return SUCCESS;
}

int nvmlGpmSampleAlloc(GpmSample **out) { ENTER(-1); *out = calloc(1, sizeof **out); return SUCCESS; }
int nvmlGpmSampleGet(void *handle, GpmSample *out) { ENTER(gpu_of(handle)); *out = (GpmSample){gpu_of(handle), -1}; return SUCCESS; }

int nvmlGpmMigSampleGet(void *handle, unsigned instance, GpmSample *out) {
    ENTER(gpu_of(handle));
    *out = (GpmSample){gpu_of(handle), (int)instance};
    return SUCCESS;
}

int nvmlGpmMetricsGet(Metrics *out) {
    ENTER(out->first->gpu);
    if (out->version != 1) return 25;
    for (unsigned i = 0; i < out->count; i++) {
        Metric *metric = &out->metrics[i];
        const char *name = metric->id == 1 ? "running" : "busy", *found;
        GpmSample *of = out->second;
        found = of->instance < 0 ? text("gpm_%s.%d", name, of->gpu) : text("gpm_%s.%d.%d", name, of->gpu, of->instance);
        metric->code = found ? SUCCESS : NOT_SUPPORTED;
        metric->value = found ? strtod(found, NULL) : 0;
    }
    return SUCCESS;
}
#endif
