// write_checkpoints ORIGINALS OUT: reads the checkpoints of tests/oracle/checkpoint_cases.py and writes them again, and
// an average, for tests/oracle/check_folder.py.
#include <fmt/format.h>

#include "btm/core/files.h"
#include "btm/model/average.h"
#include "btm/model/checkpoint.h"

int main(int, char** arguments) {
  using namespace btm;
  fs::path originals = arguments[1], output = arguments[2];
  for (const char* name :
       {"gpt2", "gpt2_bf16", "gpt2_f16_sharded", "gpt2_hub", "llama", "llama_tied_bf16", "llama_sharded", "qwen2"}) {
    FolderWriter folder(output / name);
    save_model(folder.path(), load_model(originals / name), 0);
    folder.publish();
  }
  FolderWriter folder(output / "average_of_itself");
  average_checkpoints({{originals / "llama_sharded", 1}, {originals / "llama_sharded", 3}}, folder.path());
  folder.publish();
}
