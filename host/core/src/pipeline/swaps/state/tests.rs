use proptest::prelude::*;

use super::*;

const STAGE: Stage = Stage::Train;

fn admitted(name: u8) -> Admitted {
    Admitted {
        component: Digest::of(&[name]),
        size: 1,
        signature: None,
        key: None,
        report: "{}".to_owned(),
        wished: None,
    }
}

fn trial(name: u8, hundredths: u16) -> Trial {
    Trial {
        stage: STAGE,
        component: admitted(name),
        percent: Percent::from_hundredths(hundredths).unwrap(),
    }
}

fn entry(seq: u64, event: Event) -> Entry {
    Entry {
        seq,
        previous: None,
        when: String::new(),
        who: String::new(),
        event,
    }
}

fn folded(events: Vec<Event>) -> StageState {
    let mut state = StageState::new(STAGE);
    for (seq, event) in (1..).zip(events) {
        state.apply(&entry(seq, event)).unwrap();
    }
    state
}

fn swap(name: Option<u8>) -> Event {
    Event::Swapped(Swap {
        stage: STAGE,
        component: name.map(admitted),
    })
}

#[test]
fn a_version_goes_on_with_its_own_unless_that_came_by_a_swap() {
    let [own, swapped, builtin] = [9, 1, 7].map(|name| Digest::of(&[name]));
    let version = |infer, summary: &str| PinnedVersion {
        number: 1,
        bundle: Digest::of(b"bundle"),
        bundle_size: 6,
        infer,
        summary: summary.to_owned(),
    };
    let settled = |state: &StageState, infer| state.settled(&version(infer, "{}"), builtin);
    let none = folded(vec![]);
    assert_eq!(settled(&none, own), own);
    let in_force = folded(vec![swap(Some(1))]);
    assert_eq!(settled(&in_force, own), swapped);
    // What reads no other model than its own is not asked of another component.
    let onnx = version(own, r#"{"algorithm":"onnx"}"#);
    assert_eq!(in_force.settled(&onnx, builtin), own);
    assert_eq!(in_force.predictor(&onnx, builtin, b"key"), own);
    let back = folded(vec![swap(Some(1)), swap(None)]);
    assert_eq!(settled(&back, own), own);
    assert_eq!(settled(&back, swapped), builtin);
}

#[test]
fn what_does_not_follow_is_a_damaged_log() {
    let back = Event::RolledBack(Reversal {
        stage: STAGE,
        from: None,
        to: None,
        reason: String::new(),
    });
    let promoted = Event::Promoted(Promotion {
        stage: STAGE,
        component: Digest::of(&[5]),
        reason: String::new(),
    });
    for event in [back, promoted] {
        let mut state = folded(vec![Event::Canary(trial(1, 100))]);
        assert!(state.apply(&entry(2, event)).is_err());
    }
}

/// What may be done to a stage, by whoever knows how it is.
#[derive(Clone, Debug)]
enum Step {
    Swap(Option<u8>),
    Canary(u8, u16),
    Shadow(u8, u16),
    Promote,
    Back,
    Withdraw(ArmKind),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        proptest::option::of(0_u8..5).prop_map(Step::Swap),
        (0_u8..5, 1_u16..=10_000).prop_map(|(name, share)| Step::Canary(name, share)),
        (0_u8..5, 1_u16..=10_000).prop_map(|(name, share)| Step::Shadow(name, share)),
        Just(Step::Promote),
        Just(Step::Back),
        Just(Step::Withdraw(ArmKind::Canary)),
        Just(Step::Withdraw(ArmKind::Shadow)),
    ]
}

/// The event of a step, if it can be taken.
fn event(state: &StageState, step: &Step) -> Option<Event> {
    let reason = String::new();
    Some(match step {
        Step::Swap(name) => swap(*name),
        Step::Canary(name, share) => Event::Canary(trial(*name, *share)),
        Step::Shadow(name, share) => Event::Shadow(trial(*name, *share)),
        Step::Promote => Event::Promoted(Promotion {
            stage: STAGE,
            component: state.canary.as_ref().or(state.shadow.as_ref())?.component,
            reason,
        }),
        Step::Back => Event::RolledBack(Reversal {
            stage: STAGE,
            from: state.current,
            to: state.previous()?,
            reason,
        }),
        Step::Withdraw(arm) => Event::Withdrawn(Withdrawal {
            stage: STAGE,
            arm: *arm,
            component: state.arm(*arm)?.component,
            revision: state.arm(*arm)?.revision,
            reason,
        }),
    })
}

proptest! {
    #[test]
    fn the_fold_is_what_a_simple_model_says(steps in proptest::collection::vec(step(), 0..40)) {
        let mut state = StageState::new(STAGE);
        // What was in force, as a stack; the built-in component is at the bottom.
        let mut stack: Vec<Option<Digest>> = vec![None];
        let mut seq = 0;
        for step in &steps {
            let Some(event) = event(&state, step) else { continue };
            seq += 1;
            let before = state.clone();
            state.apply(&entry(seq, event.clone())).unwrap();
            match &event {
                Event::Swapped(Swap { component, .. }) => {
                    let component = component.as_ref().map(|c| c.component);
                    if stack.last() != Some(&component) {
                        stack.push(component);
                    }
                }
                Event::Promoted(promotion)
                    if stack.last() != Some(&Some(promotion.component)) =>
                {
                    stack.push(Some(promotion.component));
                }
                Event::RolledBack(_) => drop(stack.pop()),
                _ => {}
            }
            prop_assert_eq!(Some(&state.current), stack.last());
            let ends = matches!(
                event,
                Event::Swapped(_) | Event::Promoted(_) | Event::RolledBack(_)
            );
            prop_assert!(!ends || (state.canary.is_none() && state.shadow.is_none()));
            for key in 0..50_u32 {
                let key = key.to_le_bytes();
                let routed = state.route(&key);
                prop_assert_eq!(routed, state.route(&key));
                let canary = state.canary.as_ref().map(|arm| arm.component);
                prop_assert!(routed == state.current || routed == canary);
                // A shadow answers nobody, and a call stays where it was.
                if state.canary == before.canary && state.current == before.current {
                    prop_assert_eq!(routed, before.route(&key));
                }
            }
            if let Some(current) = state.current {
                prop_assert!(state.has_admitted(&current));
            }
        }
        let mut whole = InForce::default();
        prop_assert_eq!(whole.stage(STAGE).revision, 0);
        let replayed = folded_again(&steps);
        for (seq, event) in (1..).zip(replayed) {
            whole.apply(&entry(seq, event)).unwrap();
        }
        prop_assert_eq!(whole.stage(STAGE), Arc::new(state));
        prop_assert_eq!(&whole.stage(Stage::Infer).current, &None);
    }
}

/// The events of the steps that could be taken.
fn folded_again(steps: &[Step]) -> Vec<Event> {
    let mut state = StageState::new(STAGE);
    let mut events = Vec::new();
    for step in steps {
        if let Some(event) = event(&state, step) {
            events.push(event.clone());
            state.apply(&entry(events.len() as u64, event)).unwrap();
        }
    }
    events
}
