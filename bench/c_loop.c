/* The least that callers can cost: what stt-load sends and reads, from one bare loop over epoll.
 *
 *     cc -O2 -o c_loop bench/c_loop.c
 *     ./c_loop ADDRESS PORT CALLERS SECONDS [WARM_S FRAME_MS CLIP_MS ONLY_FRAMES]
 *
 * Each caller dials, upgrades, sends its config, frames on absolute deadlines, `{"eof" : 1}`, reads the answer,
 * closes, and dials anew. Frames are encoded beforehand; each is masked afresh with a random key, eight bytes at a
 * time. A frame that the kernel doesn't take whole ends the program: the sink is to blame then. With ONLY_FRAMES 1
 * the first utterance never ends. What happened from WARM_S on is printed as JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_HEADER 8
#define BUCKET_NS 10000
#define BUCKETS 200000 /* 2 s of lag */
#define EOF_TEXT "{\"eof\" : 1}"
#define CONFIG_TEXT "{\"config\": {\"sample_rate\": 16000}}"

enum state { IDLE, CONNECTING, UPGRADING, STREAMING, AWAITING, CLOSING };

struct caller {
    int fd, frame;
    enum state state;
    int64_t due, start; /* nanoseconds, monotonic; due: of the next frame, or of the dial */
};

static struct caller *callers;
static int *heap, heap_size; /* callers with something due, the soonest first */
static struct sockaddr_in address;
static int epoll, only_frames, n_frames, payload_bytes, has_begun;
static int64_t frame_ns;
static unsigned char *payload, *wire;
static uint64_t seed = 88172645463325252u, frames, utterances, lags[BUCKETS];

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static uint64_t random_bits(void) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void push(int who) {
    int at = heap_size++;
    while (at && callers[heap[(at - 1) / 2]].due > callers[who].due) heap[at] = heap[(at - 1) / 2], at = (at - 1) / 2;
    heap[at] = who;
}

static int pop(void) {
    int first = heap[0], last = heap[--heap_size], at = 0, child;
    while ((child = 2 * at + 1) < heap_size) {
        if (child + 1 < heap_size && callers[heap[child + 1]].due < callers[heap[child]].due) child++;
        if (callers[heap[child]].due >= callers[last].due) break;
        heap[at] = heap[child], at = child;
    }
    heap[at] = last;
    return first;
}

static void watch(struct caller *c, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.u32 = c - callers};
    if (epoll_ctl(epoll, operation, c->fd, &event)) fail("epoll_ctl");
}

static void dial(struct caller *c) {
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) fail("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) fail("connect");
    c->state = CONNECTING;
    watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void send_all(struct caller *c, const void *data, size_t size) {
    if (send(c->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) fail("send");
}

static void send_small(struct caller *c, int opcode, const char *text, int size) {
    unsigned char frame[128];
    uint32_t key = random_bits();
    frame[0] = 0x80 | opcode, frame[1] = 0x80 | size;
    memcpy(frame + 2, &key, 4);
    for (int i = 0; i < size; i++) frame[6 + i] = text[i] ^ frame[2 + i % 4];
    send_all(c, frame, 6 + size);
}

static void send_frame(struct caller *c) {
    uint32_t key = random_bits();
    uint64_t wide = key | (uint64_t)key << 32, word;
    memcpy(wire + 4, &key, 4);
    for (int i = 0; i < payload_bytes; i += 8) {
        memcpy(&word, payload + i, 8);
        word ^= wide;
        memcpy(wire + FRAME_HEADER + i, &word, 8);
    }
    send_all(c, wire, FRAME_HEADER + payload_bytes);
    int64_t lag = (now_ns() - c->due) / BUCKET_NS;
    if (has_begun) frames++, lags[lag < BUCKETS ? lag : BUCKETS - 1]++;
}

static void on_due(struct caller *c) {
    if (c->state == IDLE) {
        dial(c);
        return;
    }
    send_frame(c);
    c->frame++;
    if (c->frame < n_frames || only_frames) {
        c->due = c->start + (c->frame + 1) * frame_ns;
        push(c - callers);
    } else {
        send_small(c, 1, EOF_TEXT, strlen(EOF_TEXT));
        c->state = AWAITING;
    }
}

static void on_ready(struct caller *c) {
    static char buffer[65536];
    if (c->state == CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (errno = error) fail("connect");
        static const char request[] =
            "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        send_all(c, request, sizeof request - 1);
        c->state = UPGRADING;
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
        return;
    }
    ssize_t size = recv(c->fd, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (c->state == CLOSING && size <= 0) {
        close(c->fd);
        dial(c);
    } else if (c->state == UPGRADING && size > 12 && !memcmp(buffer + 9, "101", 3)) {
        send_small(c, 1, CONFIG_TEXT, strlen(CONFIG_TEXT));
        c->state = STREAMING, c->frame = 0;
        c->start = now_ns() + random_bits() % frame_ns;
        c->due = c->start + frame_ns;
        push(c - callers);
    } else if (c->state == AWAITING && size > 2 && strstr(buffer + 2, "\"text\"")) {
        send_small(c, 8, "\x03\xe8", 2);
        c->state = CLOSING;
        utterances += has_begun;
    } else if (size <= 0) {
        fprintf(stderr, "the sink hung up on a caller in state %d\n", c->state);
        exit(1);
    }
}

static double percentile_ms(double p) {
    uint64_t seen = 0, wanted = (uint64_t)(p * frames + 0.999999);
    for (int i = 0; i < BUCKETS; i++)
        if ((seen += lags[i]) >= wanted && seen) return (i + 1) * BUCKET_NS / 1e6;
    return 0;
}

static double cpu_s(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int count, char **words) {
    double values[8] = {0, 0, 0, 0, 0, 100, 7000, 0};
    if (count < 5) return fprintf(stderr, "ADDRESS PORT CALLERS SECONDS [WARM_S FRAME_MS CLIP_MS ONLY_FRAMES]\n"), 2;
    for (int i = 1; i + 1 < count && i < 8; i++) values[i] = atof(words[i + 1]);
    int n = values[2];
    frame_ns = values[5] * 1e6, n_frames = values[6] / values[5], only_frames = values[7];
    payload_bytes = values[5] * 32; /* int16 at 16 kHz: a multiple of 8 for whole milliseconds */
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(values[1])};
    if (inet_pton(AF_INET, words[1], &address.sin_addr) != 1) return fprintf(stderr, "no IPv4 address: %s\n", words[1]), 2;
    callers = calloc(n, sizeof *callers), heap = calloc(n + 1, sizeof *heap);
    payload = malloc(payload_bytes), wire = malloc(FRAME_HEADER + payload_bytes);
    for (int i = 0; i < payload_bytes; i++) payload[i] = random_bits();
    wire[0] = 0x82, wire[1] = 0x80 | 126, wire[2] = payload_bytes >> 8, wire[3] = payload_bytes & 255;
    epoll = epoll_create1(0);
    int64_t begun = now_ns(), warm = begun + values[4] * 1e9, end = begun + values[3] * 1e9, now = begun;
    for (int i = 0; i < n; i++) {
        callers[i].due = begun + random_bits() % (int64_t)(values[6] * 1e6);
        push(i);
    }
    double cpu_before = 0;
    struct epoll_event events[256];
    while ((now = now_ns()) < end) {
        if (!has_begun && now >= warm) has_begun = 1, cpu_before = cpu_s();
        for (int sent = 0; heap_size && callers[heap[0]].due <= now && sent < 256; sent++) on_due(&callers[pop()]);
        int is_due = heap_size && callers[heap[0]].due <= now_ns();
        int ready = epoll_wait(epoll, events, 256, is_due ? 0 : 1); /* at most 1 ms late */
        for (int i = 0; i < ready; i++) on_ready(&callers[events[i].data.u32]);
    }
    double took_s = (now - warm) / 1e9, cpu = cpu_s() - cpu_before;
    printf("{\"frames\": %lu, \"frames_per_s\": %.1f, \"utterances_per_s\": %.2f, \"cpu_us_per_frame\": %.3f, "
           "\"lag_p50_ms\": %.3f, \"lag_p99_ms\": %.3f, \"lag_max_ms\": %.3f}\n",
           frames, frames / took_s, utterances / took_s, frames ? 1e6 * cpu / frames : 0.0,
           percentile_ms(0.5), percentile_ms(0.99), percentile_ms(1.0));
    return 0;
}
