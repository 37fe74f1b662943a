#pragma once

namespace graft::app {

/// The files of page/, as text that the build makes of them.
extern const char *const kServePage,
    *const kServeStyle, *const kServeScript, *const kServeCommon, *const kServeOpenApi, *const kServeTeach,
                                                                                            *const kServeTeachScript;

}  // namespace graft::app
