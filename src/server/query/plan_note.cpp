#include "pg/pg.h"

#include "server/query/plan_note.h"
extern "C" {
#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
}

namespace query_shaper {
namespace {

const char kNoteName[] = "query_shaper plan note";

template <class T>
T* CopyArray(const T* from, int count) {
  if (from == nullptr || count <= 0) return nullptr;
  size_t bytes = sizeof(T) * static_cast<size_t>(count);
  auto* to = static_cast<T*>(palloc(bytes));
  memcpy(static_cast<void*>(to), from, bytes);
  return to;
}

void CopyNote(ExtensibleNode* to_node, const ExtensibleNode* from_node) {
  auto* to = reinterpret_cast<PlanNote*>(to_node);
  const auto* from = reinterpret_cast<const PlanNote*>(from_node);
  ExtensibleNode header = to->node;
  *to = *from;
  to->node = header;
  to->query = static_cast<Query*>(copyObjectImpl(from->query));
  to->modest = static_cast<PlannedStmt*>(copyObjectImpl(from->modest));
  to->keys = CopyArray(from->keys, from->key_count);
  to->places = CopyArray(from->places, from->flat_count);
  to->levels = CopyArray(from->levels, from->level_count);
  to->clauses = CopyArray(from->clauses, from->key_count);
  for (int i = 0; to->clauses != nullptr && i < to->key_count; ++i)
    if (to->clauses[i] != nullptr) to->clauses[i] = pstrdup(to->clauses[i]);
}

// Nobody compares planned statements, and nobody reads them back but parallel workers, which get no notes.
bool EqualNotes(const ExtensibleNode*, const ExtensibleNode*) { return true; }

void WriteNote(StringInfo out, const ExtensibleNode* node) {
  const auto* note = reinterpret_cast<const PlanNote*>(node);
  appendStringInfo(out, " :keys %d :replannable %s", note->key_count, note->query != nullptr ? "true" : "false");
}

void ReadNote(ExtensibleNode*) {
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("plan notes of query_shaper cannot be read back")));
}

const ExtensibleNodeMethods kMethods = {kNoteName, sizeof(PlanNote), CopyNote, EqualNotes, WriteNote, ReadNote};

}  // namespace

void RegisterPlanNotes() { RegisterExtensibleNodeMethods(&kMethods); }

PlanNote* NoteOf(const PlannedStmt* statement) {
  const List* items = statement->invalItems;
  // The note is hung on last.
  for (int i = items ? items->length - 1 : -1; i >= 0; --i) {
    auto* node = static_cast<Node*>(items->elements[i].ptr_value);
    if (!IsA(node, ExtensibleNode)) continue;
    if (strcmp(reinterpret_cast<ExtensibleNode*>(node)->extnodename, kNoteName) == 0)
      return reinterpret_cast<PlanNote*>(node);
  }
  return nullptr;
}

PlanNote* AddNote(PlannedStmt* statement, int key_count) {
  auto* note = reinterpret_cast<PlanNote*>(newNode(sizeof(PlanNote), T_ExtensibleNode));
  note->node.extnodename = kNoteName;
  note->stock_cost = -1;
  note->key_count = key_count;
  if (key_count > 0) note->keys = static_cast<NodeKey*>(palloc0(sizeof(NodeKey) * static_cast<size_t>(key_count)));
  statement->invalItems = lappend(statement->invalItems, note);
  return note;
}

}  // namespace query_shaper
