// Answers each line of standard input with a SavedModel of this package; no Python anywhere.
//
//   answer DIRECTORY OUTPUT...     e.g.  answer models/sentiment/1 label score
//
// Prints the outputs of the line's row, separated by tabs; numbers of one output by spaces. Lines are
// run in batches of 32. TensorFlow's C API and the library that its Python wheel brings are enough:
//
//   TF=$(python -c "import tensorflow as tf; print(tf.sysconfig.get_lib())")
//   g++ -std=c++17 -O2 answer.cc -o answer -I$TF/include -L$TF -Wl,-rpath,$TF
//       -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

namespace {

constexpr size_t kBatch = 32;

[[noreturn]] void Fail(const std::string& what) {
  std::cerr << what << "\n";
  std::exit(1);
}

void Check(const TF_Status* status, const char* doing) {
  if (TF_GetCode(status) != TF_OK) Fail(std::string(doing) + ": " + TF_Message(status));
}

// --- The signature, from the MetaGraphDef in protobuf's wire format ---

// The fields of a message that hold bytes (messages, strings), by number.
std::multimap<int, std::string> Fields(const std::string& message) {
  std::multimap<int, std::string> found;
  size_t at = 0;
  auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0; at < message.size(); shift += 7) {
      const auto byte = static_cast<unsigned char>(message[at++]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < message.size()) {
    const uint64_t tag = varint();
    switch (tag & 7) {
      case 0: varint(); break;
      case 1: at += 8; break;
      case 5: at += 4; break;
      case 2: {
        const uint64_t size = varint();
        found.emplace(static_cast<int>(tag >> 3), message.substr(at, size));
        at += size;
        break;
      }
      default: Fail("The SavedModel is damaged.");
    }
  }
  return found;
}

std::string Only(const std::multimap<int, std::string>& fields, int number) {
  const auto found = fields.find(number);
  return found == fields.end() ? "" : found->second;
}

// A protobuf map of names to messages.
std::map<std::string, std::string> Entries(const std::multimap<int, std::string>& fields, int number) {
  std::map<std::string, std::string> found;
  const auto range = fields.equal_range(number);
  for (auto entry = range.first; entry != range.second; ++entry) {
    const auto parts = Fields(entry->second);
    found[Only(parts, 1)] = Only(parts, 2);
  }
  return found;
}

// A place in the graph such as "StatefulPartitionedCall:2".
TF_Output Place(TF_Graph* graph, const std::string& tensor_info) {
  const std::string name = Only(Fields(tensor_info), 1);
  const size_t colon = name.rfind(':');
  TF_Operation* operation = TF_GraphOperationByName(graph, name.substr(0, colon).c_str());
  if (operation == nullptr) Fail("The graph has no " + name + ".");
  return {operation, std::atoi(name.c_str() + colon + 1)};
}

// --- Tensors ---

void FreeStrings(void* data, size_t size, void*) {
  auto* strings = static_cast<TF_TString*>(data);
  for (size_t i = 0; i < size / sizeof(TF_TString); ++i) TF_TString_Dealloc(&strings[i]);
  std::free(data);
}

TF_Tensor* Strings(const std::vector<std::string>& lines) {
  const auto count = static_cast<int64_t>(lines.size());
  const size_t size = lines.size() * sizeof(TF_TString);
  auto* data = static_cast<TF_TString*>(std::malloc(size));
  for (size_t i = 0; i < lines.size(); ++i) {
    TF_TString_Init(&data[i]);
    TF_TString_Copy(&data[i], lines[i].data(), lines[i].size());
  }
  return TF_NewTensor(TF_STRING, &count, 1, data, size, FreeStrings, nullptr);
}

// One row of a tensor as text.
std::string Row(const TF_Tensor* tensor, int64_t row) {
  int64_t width = 1;
  for (int axis = 1; axis < TF_NumDims(tensor); ++axis) width *= TF_Dim(tensor, axis);
  std::string text;
  for (int64_t i = row * width; i < (row + 1) * width; ++i) {
    if (i > row * width) text += ' ';
    const void* data = TF_TensorData(tensor);
    char number[32];
    switch (TF_TensorType(tensor)) {
      case TF_STRING: {
        const auto* string = static_cast<const TF_TString*>(data) + i;
        text.append(TF_TString_GetDataPointer(string), TF_TString_GetSize(string));
        continue;
      }
      case TF_FLOAT:
        std::snprintf(number, sizeof number, "%.9g", static_cast<const float*>(data)[i]);
        break;
      case TF_INT32:
        std::snprintf(number, sizeof number, "%d", static_cast<const int32_t*>(data)[i]);
        break;
      default:
        Fail("An output is of a type that this program does not print.");
    }
    text += number;
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) Fail("Usage: answer DIRECTORY OUTPUT...");
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_Buffer* description = TF_NewBuffer();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(options, nullptr, argv[1], tags, 1, graph,
                                                     description, status);
  Check(status, "Cannot load the model");

  const std::string bytes(static_cast<const char*>(description->data), description->length);
  const auto signatures = Entries(Fields(bytes), 5);
  if (signatures.count("serving_default") == 0) Fail("There is no signature serving_default.");
  const auto signature = Fields(signatures.at("serving_default"));
  const auto inputs = Entries(signature, 1), outputs = Entries(signature, 2);
  if (inputs.size() != 1) Fail("This program asks models that take one text.");
  const TF_Output input = Place(graph, inputs.begin()->second);
  std::vector<TF_Output> wanted;
  for (int i = 2; i < argc; ++i) {
    if (outputs.count(argv[i]) == 0) Fail(std::string("There is no output ") + argv[i] + ".");
    wanted.push_back(Place(graph, outputs.at(argv[i])));
  }

  std::vector<std::string> lines;
  auto answer = [&] {
    TF_Tensor* texts = Strings(lines);
    std::vector<TF_Tensor*> found(wanted.size());
    TF_SessionRun(session, nullptr, &input, &texts, 1, wanted.data(), found.data(),
                  static_cast<int>(wanted.size()), nullptr, 0, nullptr, status);
    Check(status, "Cannot run the model");
    for (size_t row = 0; row < lines.size(); ++row) {
      for (size_t i = 0; i < found.size(); ++i) {
        std::cout << (i ? "\t" : "") << Row(found[i], static_cast<int64_t>(row));
      }
      std::cout << "\n";
    }
    std::cout.flush();
    for (TF_Tensor* tensor : found) TF_DeleteTensor(tensor);
    TF_DeleteTensor(texts);
    lines.clear();
  };
  for (std::string line; std::getline(std::cin, line);) {
    lines.push_back(line);
    if (lines.size() == kBatch) answer();
  }
  if (!lines.empty()) answer();

  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteBuffer(description);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
