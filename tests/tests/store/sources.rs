use secrecy::ExposeSecret;
use shared::store::StoreError;
use shared::store::sources::{
    Authenticated, authenticate, create_token, hash, list_tokens, new_token, revoke_token,
};
use tests::databases::TestDatabase;
use uuid::Uuid;

use crate::{seconds, start};

on_both!(
    a_token_lets_in_until_it_ends,
    a_revoked_token_lets_nobody_in,
    use_is_remembered_to_the_minute
);

#[test]
fn tokens_are_long_random_and_marked() {
    let mut rng = rand::rng();
    let (one, two) = (new_token(&mut rng), new_token(&mut rng));
    assert_ne!(one.expose_secret(), two.expose_secret());
    let text = one.expose_secret();
    assert!(text.starts_with("tb_"));
    assert_eq!(text.len(), 3 + 43, "32 bytes in base64url without padding");
    assert!(!format!("{one:?}").contains(text));
    assert_ne!(hash(text), hash(two.expose_secret()));
    assert_eq!(hash(text), hash(text));
}

async fn a_token_lets_in_until_it_ends(db: &TestDatabase) {
    let conn = db.store.conn();
    let key = hash("tb_one");
    let end = start() + seconds(60);
    let row = create_token(conn, "idm", "first", &key, Some(end), start())
        .await
        .unwrap();
    assert_eq!(list_tokens(conn).await.unwrap(), std::slice::from_ref(&row));
    let who = Authenticated {
        source: "idm".into(),
        token_id: row.id,
    };
    assert_eq!(
        authenticate(conn, &key, end - seconds(1)).await.unwrap(),
        Some(who)
    );
    assert_eq!(authenticate(conn, &key, end).await.unwrap(), None);
    assert_eq!(
        authenticate(conn, &hash("tb_two"), start()).await.unwrap(),
        None
    );
    let again = create_token(conn, "hr", "same text", &key, None, start()).await;
    assert!(
        matches!(again, Err(StoreError::Conflict { .. })),
        "{again:?}"
    );
}

async fn a_revoked_token_lets_nobody_in(db: &TestDatabase) {
    let conn = db.store.conn();
    let first = create_token(conn, "idm", "first", &hash("tb_one"), None, start())
        .await
        .unwrap();
    let second = create_token(
        conn,
        "idm",
        "second",
        &hash("tb_two"),
        None,
        start() + seconds(1),
    )
    .await
    .unwrap();
    assert!(
        revoke_token(conn, first.id, start() + seconds(5))
            .await
            .unwrap()
    );
    assert!(
        !revoke_token(conn, first.id, start() + seconds(6))
            .await
            .unwrap(),
        "it was revoked before"
    );
    assert!(
        !revoke_token(conn, Uuid::from_u128(1), start())
            .await
            .unwrap(),
        "there is no such token"
    );
    assert_eq!(
        authenticate(conn, &hash("tb_one"), start() + seconds(7))
            .await
            .unwrap(),
        None
    );
    assert!(
        authenticate(conn, &hash("tb_two"), start() + seconds(7))
            .await
            .unwrap()
            .is_some()
    );
    let rows = list_tokens(conn).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        [first.id, second.id]
    );
    assert_eq!(
        (rows[0].revoked_at, rows[1].revoked_at),
        (Some(start() + seconds(5)), None)
    );
}

async fn use_is_remembered_to_the_minute(db: &TestDatabase) {
    let conn = db.store.conn();
    let key = hash("tb_one");
    create_token(conn, "idm", "first", &key, None, start())
        .await
        .unwrap();
    for (at, remembered) in [(0, 0), (59, 0), (60, 60), (61, 60)] {
        authenticate(conn, &key, start() + seconds(at))
            .await
            .unwrap();
        assert_eq!(
            list_tokens(conn).await.unwrap()[0].last_used_at,
            Some(start() + seconds(remembered)),
            "at {at}"
        );
    }
}
