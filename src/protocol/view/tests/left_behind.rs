//! What a bank had under way when others left it behind.

use super::*;

#[test]
fn a_bank_learns_which_of_its_own_events_others_have_executed_and_which_never_existed() {
    let mut consortium = Consortium::in_force();
    let view = in_force_at(&consortium.views[0]);
    let (known, unknown) = (event(view, 2, [0, 0, 1]), event(view, 2, [0, 0, 2]));
    consortium.held[2] = vec![known.clone(), unknown.clone()];
    consortium.held[1] = vec![known.clone()];
    // Paused: the others leave it behind, and flush what one of them holds.
    consortium.kill(2);
    consortium.run(5);
    let flushed = consortium.assert_in_force(&[0, 1]).flush;
    assert_eq!(keys(&flushed), keys(std::slice::from_ref(&known)));
    consortium.alive[2] = true;
    consortium.run(30);
    consortium.assert_in_force(&[0, 1, 2]);
    let installed = consortium.installed[2].last().unwrap();
    assert_eq!(installed.fates.fetched, keys(std::slice::from_ref(&known)));
    let key = unknown.event.order_key();
    assert!(!installed.fates.has_executed(key) && !keys(&installed.flush).contains(&key));
    assert!(!installed.fates.unknown);
}
