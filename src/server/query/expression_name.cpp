// Names of expressions: a hash over the tree in which relations stand by their own names and constants are taken out.
#include "pg/pg.h"

#include "server/query/row_keys.h"

#include <cmath>
#include <limits>

#include "server/store/object_names.h"
extern "C" {
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
}

namespace query_shaper {
namespace {

struct Writer {
  NamedPlanning* planning;
  QueryLevel* level;
  Index self;
  RowConstants constants;
};

uint64_t Write(Node* node, Writer* writer);

uint64_t Mixed(uint64_t a, uint64_t b) { return CombineHash(a, b); }

uint64_t TypeName(Oid type) { return ObjectNameHash(TypeRelationId, type); }
uint64_t OperatorName(Oid op) { return ObjectNameHash(OperatorRelationId, op); }
uint64_t FunctionName(Oid function) { return ObjectNameHash(ProcedureRelationId, function); }

double ConstantValue(const Const* constant) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  Datum datum = constant->constvalue;
  double value = kNone;
  switch (constant->consttype) {
    case BOOLOID:
      value = DatumGetBool(datum) ? 1 : 0;
      break;
    case INT2OID:
      value = DatumGetInt16(datum);
      break;
    case INT4OID:
      value = DatumGetInt32(datum);
      break;
    case INT8OID:
      value = static_cast<double>(DatumGetInt64(datum));
      break;
    case OIDOID:
      value = DatumGetObjectId(datum);
      break;
    case FLOAT4OID:
      value = DatumGetFloat4(datum);
      break;
    case FLOAT8OID:
      value = DatumGetFloat8(datum);
      break;
    case NUMERICOID:
      value = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, datum));
      break;
    case DATEOID:
      value = DatumGetDateADT(datum);
      break;
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      value = static_cast<double>(DatumGetInt64(datum)) / 1e6;
      break;
    case INTERVALOID: {
      const Interval* interval = DatumGetIntervalP(datum);
      value = static_cast<double>(interval->time) / 1e6 + 86400.0 * (interval->day + 30.0 * interval->month);
      break;
    }
    default:
      // Of a list of values its length tells most.
      if (OidIsValid(get_element_type(constant->consttype))) {
        ArrayType* array = DatumGetArrayTypeP(datum);
        value = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
      }
      break;
  }
  return std::isfinite(value) ? value : kNone;
}

uint64_t ConstantHash(const Const* constant) {
  if (constant->constisnull) return 1;
  if (constant->constbyval) return MixBits(static_cast<uint64_t>(constant->constvalue) + 2);
  if (constant->constlen == -1) {
    auto* data = PG_DETOAST_DATUM_PACKED(constant->constvalue);
    return HashBytes(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data), 3);
  }
  const char* bytes = DatumGetPointer(constant->constvalue);
  return HashBytes(bytes, constant->constlen == -2 ? strlen(bytes) : static_cast<size_t>(constant->constlen), 4);
}

void AddConstant(RowConstants* constants, uint64_t hash, double value) {
  constants->hash = CombineHash(constants->hash, hash);
  if (constants->count < kRowConstants) constants->values[constants->count++] = value;
}

struct Children {
  Writer* writer;
  uint64_t hash;
};

bool WriteChild(Node* node, Children* children) {
  children->hash = Mixed(children->hash, Write(node, children->writer));
  return false;
}

uint64_t WriteChildren(Node* node, uint64_t seed, Writer* writer) {
  Children children = {writer, seed};
  expression_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(WriteChild)), &children);
  return children.hash;
}

uint64_t WriteList(List* list, uint64_t seed, Writer* writer) {
  ListCell* cell;
  foreach (cell, list) seed = Mixed(seed, Write(static_cast<Node*>(lfirst(cell)), writer));
  return seed;
}

bool IsFixed(Node* node) {
  while (node != nullptr && IsA(node, RelabelType))
    node = reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(node)->arg);
  return node != nullptr && (IsA(node, Const) || IsA(node, Param));
}

// `5 < x` and `x > 5` are one, as are `a = b` and `b = a`.
uint64_t WriteOperator(OpExpr* op, Writer* writer) {
  uint64_t tag = nodeTag(op);
  Oid name = op->opno;
  if (list_length(op->args) != 2) return WriteList(op->args, Mixed(tag, OperatorName(name)), writer);
  Node* left = static_cast<Node*>(linitial(op->args));
  Node* right = static_cast<Node*>(lsecond(op->args));
  if (IsFixed(right)) {
    uint64_t hash = Mixed(Mixed(tag, OperatorName(name)), Write(left, writer));
    return Mixed(hash, Write(right, writer));
  }
  Oid commutator = get_commutator(name);
  bool fixed = IsFixed(left);
  if (OidIsValid(commutator) && (fixed || commutator < name)) {
    name = commutator;
    Node* swapped = left;
    left = right;
    right = swapped;
  }
  uint64_t first = Write(left, writer);
  uint64_t second = Write(right, writer);
  if (!fixed && op->opno == commutator && second < first) {
    uint64_t swapped = first;
    first = second;
    second = swapped;
  }
  return Mixed(Mixed(Mixed(tag, OperatorName(name)), first), second);
}

uint64_t WriteBool(BoolExpr* expression, Writer* writer) {
  int count = list_length(expression->args);
  auto* names = static_cast<RowName*>(palloc(sizeof(RowName) * static_cast<size_t>(count)));
  for (int i = 0; i < count; ++i)
    names[i] = ExpressionName(writer->planning, writer->level, writer->self,
                              static_cast<Node*>(list_nth(expression->args, i)));
  RowName folded = FoldNames(Mixed(T_BoolExpr, expression->boolop), names, count);
  pfree(names);
  AppendConstants(&writer->constants, folded.constants);
  return folded.key;
}

uint64_t WriteVar(const Var* var, Writer* writer) {
  if (var->varlevelsup != 0 || var->varno <= 0 || var->varno >= writer->level->base_count)
    return Mixed(T_Var, TypeName(var->vartype));
  uint64_t relation = 0;
  if (static_cast<Index>(var->varno) != writer->self) {
    RowName name = BaseName(writer->planning, writer->level, static_cast<Index>(var->varno));
    relation = name.key;
  }
  return Mixed(Mixed(T_Var, relation), static_cast<uint64_t>(var->varattno + 1000));
}

PlannerInfo* SubplanRoot(PlannerInfo* root, int plan_id) {
  if (plan_id < 1 || plan_id > list_length(root->glob->subroots)) return nullptr;
  return static_cast<PlannerInfo*>(list_nth(root->glob->subroots, plan_id - 1));
}

uint64_t WriteSubquery(int plan_id, Writer* writer) {
  PlannerInfo* root = SubplanRoot(writer->level->root, plan_id);
  if (root == nullptr) return T_SubPlan;
  RowName name = LevelName(writer->planning, root);
  AppendConstants(&writer->constants, name.constants);
  return name.key;
}

// A parameter of the client stands for a constant; one of the executor for the result of an uncorrelated subquery, or
// for a value of an outer level.
uint64_t WriteParam(const Param* param, Writer* writer) {
  if (param->paramkind == PARAM_EXTERN) {
    AddConstant(&writer->constants, MixBits(static_cast<uint64_t>(param->paramkind) + 77),
                std::numeric_limits<double>::quiet_NaN());
    return Mixed(T_Const, TypeName(param->paramtype));
  }
  if (param->paramkind == PARAM_EXEC) {
    for (PlannerInfo* root = writer->level->root; root != nullptr; root = root->parent_root) {
      ListCell* cell;
      foreach (cell, root->init_plans) {
        auto* plan = static_cast<SubPlan*>(lfirst(cell));
        if (list_member_int(plan->setParam, param->paramid))
          return Mixed(T_Param, WriteSubquery(plan->plan_id, writer));
      }
    }
  }
  return Mixed(T_Param, TypeName(param->paramtype));
}

uint64_t Write(Node* node, Writer* writer) {
  if (node == nullptr) return 1;
  check_stack_depth();
  uint64_t tag = nodeTag(node);
  switch (nodeTag(node)) {
    case T_RestrictInfo:
      return Write(reinterpret_cast<Node*>(reinterpret_cast<RestrictInfo*>(node)->clause), writer);
    case T_RelabelType:
      return Write(reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(node)->arg), writer);
    case T_PlaceHolderVar:
      return Write(reinterpret_cast<Node*>(reinterpret_cast<PlaceHolderVar*>(node)->phexpr), writer);
    case T_TargetEntry:
      return Write(reinterpret_cast<Node*>(reinterpret_cast<TargetEntry*>(node)->expr), writer);
    case T_Var:
      return WriteVar(reinterpret_cast<Var*>(node), writer);
    case T_Const: {
      auto* constant = reinterpret_cast<Const*>(node);
      AddConstant(&writer->constants, ConstantHash(constant),
                  constant->constisnull ? std::numeric_limits<double>::quiet_NaN() : ConstantValue(constant));
      return Mixed(tag, TypeName(constant->consttype));
    }
    case T_Param:
      return WriteParam(reinterpret_cast<Param*>(node), writer);
    case T_OpExpr:
    case T_DistinctExpr:
    case T_NullIfExpr:
      return WriteOperator(reinterpret_cast<OpExpr*>(node), writer);
    case T_BoolExpr:
      return WriteBool(reinterpret_cast<BoolExpr*>(node), writer);
    case T_ScalarArrayOpExpr: {
      auto* op = reinterpret_cast<ScalarArrayOpExpr*>(node);
      return WriteList(op->args, Mixed(Mixed(tag, OperatorName(op->opno)), op->useOr), writer);
    }
    case T_FuncExpr: {
      auto* call = reinterpret_cast<FuncExpr*>(node);
      return WriteList(call->args, Mixed(tag, FunctionName(call->funcid)), writer);
    }
    case T_Aggref: {
      auto* call = reinterpret_cast<Aggref*>(node);
      return WriteChildren(node, Mixed(Mixed(tag, FunctionName(call->aggfnoid)), call->aggdistinct != NIL), writer);
    }
    case T_WindowFunc:
      return WriteChildren(node, Mixed(tag, FunctionName(reinterpret_cast<WindowFunc*>(node)->winfnoid)), writer);
    case T_SubPlan: {
      auto* plan = reinterpret_cast<SubPlan*>(node);
      uint64_t hash = Mixed(Mixed(tag, plan->subLinkType), WriteSubquery(plan->plan_id, writer));
      hash = Mixed(hash, Write(plan->testexpr, writer));
      return WriteList(plan->args, hash, writer);
    }
    case T_AlternativeSubPlan:
      return Write(static_cast<Node*>(linitial(reinterpret_cast<AlternativeSubPlan*>(node)->subplans)), writer);
    case T_Query:
    case T_SubLink:
      return tag;  // planned by now, where it matters
    case T_NullTest:
      return WriteChildren(node, Mixed(tag, reinterpret_cast<NullTest*>(node)->nulltesttype), writer);
    case T_BooleanTest:
      return WriteChildren(node, Mixed(tag, reinterpret_cast<BooleanTest*>(node)->booltesttype), writer);
    case T_FieldSelect:
      return WriteChildren(node, Mixed(tag, static_cast<uint64_t>(reinterpret_cast<FieldSelect*>(node)->fieldnum)),
                           writer);
    case T_CoerceViaIO:
      return WriteChildren(node, Mixed(tag, TypeName(reinterpret_cast<CoerceViaIO*>(node)->resulttype)), writer);
    case T_CoerceToDomain:
      return WriteChildren(node, Mixed(tag, TypeName(reinterpret_cast<CoerceToDomain*>(node)->resulttype)), writer);
    case T_MinMaxExpr:
      return WriteChildren(node, Mixed(tag, reinterpret_cast<MinMaxExpr*>(node)->op), writer);
    case T_SQLValueFunction:
      return Mixed(tag, reinterpret_cast<SQLValueFunction*>(node)->op);
    case T_RowCompareExpr:
      return WriteChildren(node, Mixed(tag, reinterpret_cast<RowCompareExpr*>(node)->rctype), writer);
    default:
      return WriteChildren(node, tag, writer);
  }
}

}  // namespace

RowName ExpressionName(NamedPlanning* planning, QueryLevel* level, Index self, Node* expression) {
  Writer writer = {planning, level, self, RowConstants()};
  RowName name = {};
  name.key = Write(expression, &writer);
  name.constants = writer.constants;
  return name;
}

}  // namespace query_shaper
