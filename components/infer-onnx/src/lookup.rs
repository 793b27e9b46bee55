//! `ai.onnx.ml.LabelEncoder`: texts or whole numbers by a table.
//!
//! It stands for what is written as `keys_*` and `values_*`; that of floats, which are no keys of
//! a table, is refused.

use tract_onnx::{
    model::{OnnxOpRegister, ParsingContext},
    pb::NodeProto,
    tract_core::ops::cast::cast,
    tract_hir::internal::{
        Arc, Expansion, InferenceOp, InferenceResult, OutletId, Solver, SpecialOps, StaticName,
        TVec, Tensor, TensorProxy, TractResult, TypedModel, bail, check_input_arity,
        check_output_arity, ensure, expand, rctensor0, rctensor1, tvec,
    },
};
use tract_onnx_opl::ml::{DirectLookup, ReverseLookup};

/// Registers the operator.
pub(crate) fn register(register: &mut OnnxOpRegister) {
    register.insert("LabelEncoder", label_encoder);
}

#[derive(Clone, Debug)]
struct Lookup {
    keys: Arc<Tensor>,
    values: Arc<Tensor>,
    fallback: Arc<Tensor>,
}

impl Expansion for Lookup {
    fn name(&self) -> StaticName {
        "LabelEncoder".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        s: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        // One each, as was checked.
        if let ([input], [output]) = (inputs, outputs) {
            s.equals(&input.shape, &output.shape)?;
            s.equals(&output.datum_type, self.values.datum_type())?;
        }
        Ok(())
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let keys = self.keys.datum_type();
        let [input] = inputs else {
            bail!("ai.onnx.ml.LabelEncoder has not one input");
        };
        let mut from: TVec<OutletId> = tvec![*input];
        if model.outlet_fact(*input)?.datum_type != keys {
            from = model.wire_node(format!("{prefix}.key"), cast(keys), &from)?;
        }
        let lookup = ReverseLookup::new(Arc::clone(&self.keys), -1)?;
        let index = model.wire_node(format!("{prefix}.index"), lookup, &from)?;
        let values = DirectLookup::new(Arc::clone(&self.values), Arc::clone(&self.fallback))?;
        model.wire_node(format!("{prefix}.value"), values, &index)
    }
}

fn label_encoder(
    _: &ParsingContext,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let texts = |name: &str| node.get_attr_opt_vec::<String>(name);
    let numbers = |name: &str| node.get_attr_opt_vec::<i64>(name);
    let keys = match (texts("keys_strings")?, numbers("keys_int64s")?) {
        (Some(texts), None) => rctensor1(&texts),
        (None, Some(numbers)) => rctensor1(&numbers),
        _ => bail!("ai.onnx.ml.LabelEncoder has neither texts nor whole numbers as keys"),
    };
    let (values, fallback) = match (texts("values_strings")?, numbers("values_int64s")?) {
        (Some(texts), None) => {
            let default: Option<String> = node.get_attr_opt("default_string")?;
            (
                rctensor1(&texts),
                rctensor0(default.unwrap_or_else(|| "_Unused".to_owned())),
            )
        }
        (None, Some(numbers)) => {
            let default: Option<i64> = node.get_attr_opt("default_int64")?;
            (rctensor1(&numbers), rctensor0(default.unwrap_or(-1)))
        }
        _ => bail!("ai.onnx.ml.LabelEncoder has neither texts nor whole numbers as values"),
    };
    ensure!(
        keys.len() == values.len(),
        "ai.onnx.ml.LabelEncoder has not a value for each key"
    );
    let lookup = Lookup {
        keys,
        values,
        fallback,
    };
    Ok((expand(lookup), vec![]))
}
