/* graft's C interface: open a model, classify pictures, take features, train a head, save. No C++ type crosses it.
 *
 * Functions return a status; graft_last_error() tells more of the last failure in the calling thread. What a function
 * makes is given back with the function that its comment names; NULL may always be given back. Strings are UTF-8 and
 * are the library's, valid as long as what they came from. A model may be used by one thread at a time, several models
 * by several threads.
 *
 * Within a major version functions are only added, and structs grow at their end: `size` tells the library how much of
 * one the caller knows. */
#ifndef GRAFT_GRAFT_H
#define GRAFT_GRAFT_H

#include <stddef.h>
#include <stdint.h>

#if defined(GRAFT_C_BUILD)
#define GRAFT_C_API __attribute__((visibility("default")))
#else
#define GRAFT_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What kind of failure it is. */
typedef enum graft_status {
  GRAFT_OK = 0,
  GRAFT_INVALID_ARGUMENT = 1, /* a setting or an argument is not allowed */
  GRAFT_NOT_FOUND = 2,        /* there is no such file, layer, class or device */
  GRAFT_CORRUPT_FILE = 3,     /* a model or picture is damaged, or not what it should be */
  GRAFT_BAD_DATA = 4,         /* the labelled pictures cannot be used */
  GRAFT_UNSUPPORTED = 5,      /* an operator, opset or format that graft does not know */
  GRAFT_OUT_OF_MEMORY = 6,
  GRAFT_CANCELLED = 7, /* the listener ended the call before there was a result */
  GRAFT_IO = 8,        /* the system refuses to read or write */
  GRAFT_INTERNAL = 9   /* a mistake of graft's own */
} graft_status;

/* What a picture is answered with. */
typedef enum graft_task { GRAFT_CLASSES = 0, GRAFT_MULTI_LABEL = 1, GRAFT_REGRESSION = 2 } graft_task;

/* "0.1.0", of the library that is linked. */
GRAFT_C_API const char* graft_version(void);
/* What failed last in this thread: what, where and what to do, in one line; "" before anything has. Valid until the
 * thread's next call. */
GRAFT_C_API const char* graft_last_error(void);

/* A network with its weights, class names and preprocessing. */
typedef struct graft_model graft_model;

/* How a model computes. Zeros are the usual values. */
typedef struct graft_compute {
  size_t size;        /* sizeof(graft_compute) */
  const char* device; /* "auto" | "cpu" | "cuda:N"; NULL: auto */
  int threads;        /* 0: all cores */
  int batch;          /* pictures at a time; 0: the library's choice */
} graft_compute;

/* Reads an ONNX file, which is not trusted. `compute` may be NULL. graft_model_close(*model). */
GRAFT_C_API graft_status graft_model_open(const char* path, const graft_compute* compute, graft_model** model);
GRAFT_C_API void graft_model_close(graft_model* model);
/* Writes ONNX beside `path` and renames it. */
GRAFT_C_API graft_status graft_model_save(const graft_model* model, const char* path);
GRAFT_C_API graft_task graft_model_task(const graft_model* model);
/* Class names in the order of the outputs; 0 and NULL where the model names none. */
GRAFT_C_API size_t graft_model_label_count(const graft_model* model);
GRAFT_C_API const char* graft_model_label(const graft_model* model, size_t index);

/* A picture: a file's path; or a file's contents; or pixels, 8-bit RGB, height × width × 3 bytes, rows from top to
 * bottom. The caller's memory, which must outlive the call. */
typedef struct graft_picture {
  const char* path;      /* or NULL */
  const void* bytes;     /* or NULL */
  size_t byte_count;     /* of `bytes` */
  const uint8_t* pixels; /* or NULL */
  int64_t height, width; /* of `pixels` */
} graft_picture;

/* Rows of numbers, one for each picture of a call. */
typedef struct graft_rows graft_rows;

/* Probabilities of each class or label (of a regression the values). `rows` has a row for each picture, in order;
 * pictures that cannot be read have none but a reason. graft_rows_free(*rows). */
GRAFT_C_API graft_status graft_classify(graft_model* model, const graft_picture* pictures, size_t count,
                                        graft_rows** rows);
/* What a layer makes of each picture: name of a node or value, or NULL for what the classifier reads.
 * graft_rows_free(*rows). */
GRAFT_C_API graft_status graft_features(graft_model* model, const char* layer, const graft_picture* pictures,
                                        size_t count, graft_rows** rows);
GRAFT_C_API size_t graft_rows_count(const graft_rows* rows);
/* Numbers of a row. */
GRAFT_C_API size_t graft_rows_width(const graft_rows* rows);
/* graft_rows_width() numbers; NULL for a picture that could not be read. */
GRAFT_C_API const float* graft_rows_get(const graft_rows* rows, size_t picture);
/* Why it could not be read; NULL where it could. */
GRAFT_C_API const char* graft_rows_error(const graft_rows* rows, size_t picture);
/* Of graft_classify: how unlike the training's pictures it is, 0 to 1; below 0 where the model cannot tell. */
GRAFT_C_API double graft_rows_ood_score(const graft_rows* rows, size_t picture);
GRAFT_C_API void graft_rows_free(graft_rows* rows);

/* How a head, and perhaps more, is trained. Fill it with graft_finetune_defaults(), then change what differs. */
typedef struct graft_finetune_options {
  size_t size; /* set by graft_finetune_defaults() */
  double
      budget_seconds; /* for choosing what suits the pictures; 0: the plain recipe; below 0: as long as features took */
  int epochs;         /* of the plain recipe */
  const char* freeze; /* all | none | until:NODE | last:N | match:REGEX */
  const char* augment;    /* a recipe's name, or transforms separated by commas */
  double lr;              /* of the head; 0: the optimizer's own */
  double validation_part; /* of each class, where the data is not split */
  uint64_t seed;
  /* Told of each line that a user should see; may be NULL. */
  void (*note)(void* user, const char* text);
  /* Asked now and then; not 0 ends the training, whose best weights so far are the result. May be NULL. */
  int (*stop)(void* user);
  void* user;
} graft_finetune_options;
GRAFT_C_API void graft_finetune_defaults(graft_finetune_options* options);

/* Trains a new head on labelled pictures (folders or a table, see docs/data.md) in the place of the model's own.
 * `options` may be NULL. `score`, which may be NULL, gets the validation score (top-1, mean average precision or R²).
 * graft_model_close(*trained). */
GRAFT_C_API graft_status graft_finetune(const graft_model* model, const char* data, graft_task task,
                                        const graft_finetune_options* options, graft_model** trained, double* score);

#ifdef __cplusplus
}
#endif

#endif
