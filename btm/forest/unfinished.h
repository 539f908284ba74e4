// What a crash between the two steps of an edit left behind.
#pragma once

#include "btm/forest/forest.h"

namespace btm {

// Deletes the folders of removed experts and the temporary ones of killed writers. The caller holds the forest's lock:
// without it a folder of a removed expert may be one that is just being merged again.
void finish_removals(const Forest& forest);

// The same if there is something to do and the lock is free; otherwise the lock's holder or a later opening does it.
void try_finish_removals(const Forest& forest);

}  // namespace btm
