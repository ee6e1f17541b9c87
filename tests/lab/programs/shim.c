/* Preloaded into a program that links libssh2: turns the trace on in each session that the program makes.

   TRACE_FILE     records are appended to it; empty: libssh2 writes them to stderr, as without a handler
   TRACE_MASK     for libssh2_trace()
   TRACE_NEWLINE  what the handler writes after a record: "normal" (a newline where none is), "none", "double"
   TRACE_PREFIX   what the handler puts before each line; %d is the process */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void *session_init(void *, void *, void *, void *);
typedef void trace_handler(void *, void *, const char *, size_t);

static int file = -1;

/* PHP loads its extensions so that they see their own libraries first, this one never. */
void *dlopen(const char *name, int how)
{
    return ((void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen"))(name, how & ~RTLD_DEEPBIND);
}

/* A program may load libssh2 with its plugin only, out of sight of RTLD_NEXT. */
static void *in_libssh2(const char *name)
{
    void *library = dlopen("libssh2.so.1", RTLD_LAZY);
    void *found = library ? dlsym(library, name) : NULL;

    if(!found) {
        fprintf(stderr, "no traced libssh2: %s\n", dlerror());
        _exit(70);
    }
    return found;
}

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

/* One write a record, so that processes with one file do not tear each other's. */
static void record(void *session, void *context, const char *text, size_t length)
{
    const char *policy = setting("TRACE_NEWLINE");
    char prefix[64];
    char *out, *to;
    size_t i, lines = 1, before;
    int open = 1; /* whether the next byte begins a line */

    (void)session;
    (void)context;
    snprintf(prefix, sizeof(prefix), setting("TRACE_PREFIX"), (int)getpid());
    before = strlen(prefix);
    for(i = 0; i < length; i++)
        lines += text[i] == '\n';
    to = out = malloc(length + 1 + lines * before);
    if(!out)
        return;
    for(i = 0; i < length; i++) {
        if(open)
            to = (char *)memcpy(to, prefix, before) + before;
        open = (*to++ = text[i]) == '\n';
    }
    if(!strcmp(policy, "double") || (!strcmp(policy, "normal") && !open))
        *to++ = '\n';
    if(write(file, out, (size_t)(to - out)) < 0)
        _exit(71);
    free(out);
}

void *libssh2_session_init_ex(void *allocate, void *release, void *reallocate, void *abstract)
{
    session_init *init = (session_init *)in_libssh2("libssh2_session_init_ex");
    void *session = init(allocate, release, reallocate, abstract);

    if(!session)
        return NULL;
    if(*setting("TRACE_FILE")) {
        if(file < 0)
            file = open(setting("TRACE_FILE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        ((int (*)(void *, void *, trace_handler *))in_libssh2("libssh2_trace_sethandler"))(session, NULL, record);
    }
    ((int (*)(void *, int))in_libssh2("libssh2_trace"))(session, atoi(setting("TRACE_MASK")));
    return session;
}
